-- Put a dead letter back to be handled again, under its own event id.
-- KEYS: dead stream, parking stream, stats hash    ARGV: entry id of the dead letter
-- Answer: 1 replayed, 0 there is no such letter
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1], 'COUNT', 1)
if not letter[1] then return 0 end
local fields = letter[1][2]
for i = 1, #fields, 2 do
  if fields[i] == 'payload' then
    redis.call('XADD', KEYS[2], '*', 'payload', fields[i + 1])
  end
end
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'replayed', 1)
return 1
