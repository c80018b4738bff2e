-- A skill's result that came by Pub/Sub or a socket joins the results, once, however many nexuses heard it.
-- KEYS: results stream, mark of this very result
-- ARGV: payload, seconds that the mark is kept
-- Answer: 1 added, 0 it was there
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 100000, '*', 'payload', ARGV[1])
return 1
