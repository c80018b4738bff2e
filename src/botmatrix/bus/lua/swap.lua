-- Put a value in the place of the one that its author had read; it never stays for ever, nor shorter than it would.
-- KEYS: key   ARGV: expected value ('' none), new value ('' none), ttl ms
-- Answer: 1, or the value that stands there instead ('' none)
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] then return current end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  local left = redis.call('PTTL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[2], 'PX', math.max(tonumber(ARGV[3]), left))
end
return 1
