-- An action was read by a nexus that has not got the bot: hand it, unsent, to the nexus that has.
-- KEYS: action stream, bot hash    ARGV: entry id, payload, own inc, prefix
-- Answer: 1 handed on, 0 the bot is here (or nowhere)
local nexus = redis.call('HGET', KEYS[2], 'nexus')
if not nexus or nexus == ARGV[3] then return 0 end
local id = redis.call('XADD', ARGV[4] .. 'actions:' .. nexus, 'NOMKSTREAM', '*', 'payload', ARGV[2])
if not id then return 0 end
redis.call('XACK', KEYS[1], 'g', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
