-- Actions that were read and whose turn has not come go to the waiting room of their bot, unsent.
-- KEYS: action stream, room, set of bots with rooms    ARGV: bot, most, (entry id, payload)*
-- Answer: a letter for each: m moved (also when a call before this one did it), f the room is full
-- The entry is the fence: it is gone once it was moved, so a call whose answer got lost may be made again.
local letters, length = {}, redis.call('XLEN', KEYS[2])
for i = 3, #ARGV, 2 do
  local letter = 'm'
  if redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i], 'COUNT', 1)[1] then
    if length >= tonumber(ARGV[2]) then
      letter = 'f'
    else
      redis.call('SADD', KEYS[3], ARGV[1])
      redis.call('XADD', KEYS[2], '*', 'payload', ARGV[i + 1])
      redis.call('XACK', KEYS[1], 'g', ARGV[i])
      redis.call('XDEL', KEYS[1], ARGV[i])
      length = length + 1
    end
  end
  letters[#letters + 1] = letter
end
return table.concat(letters)
