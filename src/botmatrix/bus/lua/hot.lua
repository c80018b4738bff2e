-- Change a hash of the hot configuration in one step and tell every process.
-- KEYS: hash    ARGV: channel, kind, '1' to drop what it held, (field, value or '' to drop it)*
-- Answer: field, value, ... as they were before
local before = redis.call('HGETALL', KEYS[1])
if ARGV[3] == '1' then redis.call('DEL', KEYS[1]) end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return before
