-- A skill is called from code, once for each id, whoever calls again after a crash.
-- KEYS: its answer (if there is one), who waits for it, stream of what is asked
-- ARGV: payload, incarnation that waits, seconds for which that is remembered
-- Answer: the answer, if it is known already; else nothing, and it will be published
local known = redis.call('GET', KEYS[1])
if known then return known end
local asked = redis.call('EXISTS', KEYS[2]) == 1
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if not asked then redis.call('XADD', KEYS[3], '*', 'payload', ARGV[1]) end
return false
