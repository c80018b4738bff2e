-- Actions have ended: take them off their stream, keep the state of those that somebody waits for.
-- KEYS: action stream, stats hash
-- ARGV: prefix, ttl s, n, n entry ids of actions that were done and that nobody waits for,
--       then (entry id, aid, reply_to or '', state, retcode, message, data)*
-- Answer: how many were this stream's
local counts, plain = {}, tonumber(ARGV[3])
local ended = 0
if plain > 0 then
  local ids = {unpack(ARGV, 4, 3 + plain)}
  ended = redis.call('XACK', KEYS[1], 'g', unpack(ids))
  redis.call('XDEL', KEYS[1], unpack(ids))
  counts['DONE'] = ended
end
for i = 4 + plain, #ARGV, 7 do
  if redis.call('XACK', KEYS[1], 'g', ARGV[i]) == 1 then
    redis.call('XDEL', KEYS[1], ARGV[i])
    ended = ended + 1
    local state = ARGV[i + 3]
    counts[state] = (counts[state] or 0) + 1
    if ARGV[i + 2] ~= '' or state == 'UNKNOWN' then
      local key = ARGV[1] .. 'act:' .. ARGV[i + 1]
      redis.pcall('HSET', key, 'state', state, 'retcode', ARGV[i + 4], 'message', ARGV[i + 5], 'data', ARGV[i + 6])
      redis.pcall('EXPIRE', key, ARGV[2])
    end
    if ARGV[i + 2] ~= '' then redis.call('PUBLISH', ARGV[1] .. 'act:done:' .. ARGV[i + 2], ARGV[i + 1]) end
  end
end
for state, count in pairs(counts) do
  if count > 0 then redis.pcall('HINCRBY', KEYS[2], 'actions_' .. string.lower(state), count) end
end
return ended
