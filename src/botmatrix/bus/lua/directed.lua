-- What a worker asked a bot's HTTP API itself has ended: keep the state and the result.
-- KEYS: act hash, stats hash   ARGV: ttl s, state, retcode, message, data
-- Answer: 1, or 0 when it had ended before
if redis.call('HGET', KEYS[1], 'state') ~= 'SENT' then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'retcode', ARGV[3], 'message', ARGV[4], 'data', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.pcall('HINCRBY', KEYS[2], 'actions_' .. string.lower(ARGV[2]), 1)
return 1
