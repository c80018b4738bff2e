-- Keep a piece of media for a while, unless all of it together would be too much. Kept twice, it is kept once.
-- KEYS: the piece, index (token -> expiry ms), sizes (token -> bytes, '' -> all)   ARGV: token, bytes, ttl ms, now ms, most bytes
-- Answer: 1 it is kept, 0 there is no room
if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])) do
  local size = redis.call('HGET', KEYS[3], token)
  if size then redis.call('HINCRBY', KEYS[3], '', -size) end
  redis.call('HDEL', KEYS[3], token)
  redis.call('ZREM', KEYS[2], token)
end
local size = string.len(ARGV[2])
if tonumber(redis.call('HGET', KEYS[3], '') or '0') + size > tonumber(ARGV[5]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], tonumber(ARGV[4]) + tonumber(ARGV[3]), ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], size)
redis.call('HINCRBY', KEYS[3], '', size)
return 1
