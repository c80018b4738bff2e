-- Actions have ended: take them off their stream, keep the state of those that somebody waits for.
-- KEYS: action stream, stats hash    ARGV: prefix, ttl s, (entry id, aid, reply_to or '', state, retcode, message, data)*
-- Answer: how many were this stream's
local ended, counts = 0, {}
for i = 3, #ARGV, 7 do
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
  redis.pcall('HINCRBY', KEYS[2], 'actions_' .. string.lower(state), count)
end
return ended
