-- Count one use against limits, once for its event, unless one of them is reached: then none counts.
-- KEYS: the uses of each limit, sets of event ids; '' in one: its refusal was told   ARGV: event id, then (most, ttl ms)*
-- Answer: {0}, or {number of the limit, ms until it starts anew, 1 for its first refusal}
local function is_in(key, member) return redis.call('SISMEMBER', key, member) end

for i, key in ipairs(KEYS) do
  if is_in(key, ARGV[1]) == 0 and redis.call('SCARD', key) - is_in(key, '') >= tonumber(ARGV[2 * i]) then
    return {i, redis.call('PTTL', key), redis.call('SADD', key, '')}
  end
end
for i, key in ipairs(KEYS) do
  redis.call('SADD', key, ARGV[1])
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[2 * i + 1]) end
end
return {0}
