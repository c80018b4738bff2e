-- Somebody said a code: the right one is used up and claimed for them; a wrong one costs every code one of its tries.
-- KEYS: codes, claims    ARGV: digest, platform:user_id, tries of a code, channel
-- Answer: {1, id of the user}; {0, tries left at most}; {0, -1} when there was no code
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local codes, found, left = redis.call('HGETALL', KEYS[1]), nil, -1
for i = 1, #codes, 2 do
  local user, ends = string.match(codes[i + 1], '^(%d+) (%d+) %d+$')
  if tonumber(ends or 0) <= now then
    redis.call('HDEL', KEYS[1], codes[i])
  elseif codes[i] == ARGV[1] then
    found = user
  end
end
if found then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[2], found)
else
  codes = redis.call('HGETALL', KEYS[1])
  for i = 1, #codes, 2 do
    local head, tries = string.match(codes[i + 1], '^(%d+ %d+ )(%d+)$')
    local rest = ARGV[3] - tries - 1
    left = math.max(left, rest)
    if rest > 0 then
      redis.call('HSET', KEYS[1], codes[i], string.format('%s%d', head, tries + 1))
    else
      redis.call('HDEL', KEYS[1], codes[i])
    end
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('PUBLISH', ARGV[4], '') end
return found and {1, tonumber(found)} or {0, left}
