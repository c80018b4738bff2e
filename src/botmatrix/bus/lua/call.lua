-- Put a skill call on a worker's lane, once for each attempt, whoever tries it again after a crash.
-- KEYS: lane stream, mark of the attempt, stats hash
-- ARGV: payload, seconds that the mark is kept
-- Answer: 1 it is on the lane (now, or since an earlier try), 0 there is no such lane
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', '*', 'payload', ARGV[1])
if not id then return 0 end
redis.call('SET', KEYS[2], '1', 'EX', ARGV[2])
redis.pcall('HINCRBY', KEYS[3], 'called', 1)
return 1
