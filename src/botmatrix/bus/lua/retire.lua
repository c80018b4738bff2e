-- Delete a lane that is empty and whose owner does not need it any more.
-- KEYS: own, lane stream, deaths hash, suspects set    ARGV: lane, inc
-- Answer: 1 deleted (the router picks anew for what it still sends there), 0 not empty or not the caller's
local own = redis.call('HGET', KEYS[1], ARGV[1])
if not own or string.match(own, '|(.*)$') ~= ARGV[2] then return 0 end
if redis.call('XLEN', KEYS[2]) > 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
