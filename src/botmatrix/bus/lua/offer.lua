-- Offer a code that binds whoever says it in a chat to a user, in the place of an earlier one of this user.
-- KEYS: codes    ARGV: digest, id of the user, ttl ms, channel
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local codes = redis.call('HGETALL', KEYS[1])
for i = 1, #codes, 2 do
  local user, ends = string.match(codes[i + 1], '^(%d+) (%d+) %d+$')
  if user == ARGV[2] or tonumber(ends or 0) <= now then redis.call('HDEL', KEYS[1], codes[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f 0', ARGV[2], now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[4], '')
