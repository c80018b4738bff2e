-- Put a configuration in the place of the one that its author had read, and tell every nexus.
-- KEYS: version, document    ARGV: expected version, new version, new document, channel
-- Answer: 1, or 0 when another version stands there
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] then
  return 0
end
redis.call('MSET', KEYS[2], ARGV[3], KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[2])
return 1
