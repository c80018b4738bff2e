-- Tell whoever called a skill from code what came of it; calls that nobody waits for this way are left alone.
-- KEYS: its answer, who waits for it
-- ARGV: prefix, payload, seconds for which the answer is kept
-- Answer: 1 told, 0 nobody waits
local inc = redis.call('GET', KEYS[2])
if not inc then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('PUBLISH', ARGV[1] .. 'skills:answered:' .. inc, ARGV[2])
return 1
