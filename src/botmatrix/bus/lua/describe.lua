-- A nexus writes what it knows of a bot, unless the bot is another's by now.
-- KEYS: bot hash    ARGV: nexus inc, (field, value)*
-- Answer: 1 written, 0 not ours
if redis.call('HGET', KEYS[1], 'nexus') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
