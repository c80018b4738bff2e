-- An action was read and not sent: hand it to the nexus that has the bot, or give it back to nobody in particular.
-- KEYS: action stream, bot hash, orphans stream    ARGV: entry id, payload, own inc, prefix, '1' to give it back
-- Answer: 1 handed on (also when a call before this one did it), 0 the bot is here (or nowhere)
-- The entry is the fence: it is gone once it was handed on, so a call whose answer got lost may be made again.
if not redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1], 'COUNT', 1)[1] then return 1 end
local nexus = redis.pcall('HGET', KEYS[2], 'nexus')
local stream = nil
if type(nexus) == 'string' and nexus ~= ARGV[3] then stream = ARGV[4] .. 'actions:' .. nexus end
local id = stream and redis.call('XADD', stream, 'NOMKSTREAM', '*', 'payload', ARGV[2])
if not id then
  if ARGV[5] ~= '1' then return 0 end
  redis.call('XADD', KEYS[3], '*', 'payload', ARGV[2])
end
redis.call('XACK', KEYS[1], 'g', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
