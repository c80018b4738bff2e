-- Become the owner of a lane: its own worker, or an adopter of a dead worker's lane. First wins.
-- KEYS: own, epoch, lane stream, deaths hash, suspects set
-- ARGV: lane, inc, force ('1': its namesake takes it back), prefix of lease keys
-- Answer: the consumer group, whose name is the fence, or 'BUSY'
local own = redis.call('HGET', KEYS[1], ARGV[1])
local old, blamed = nil, false
local epoch, inc = string.match(own or '', '^(%d+)|(.*)$')
if epoch then
  old = 'g' .. epoch
  if inc ~= ARGV[2] and inc ~= '' then
    local lease = ARGV[4] .. inc
    local alive = redis.call('EXISTS', lease) == 1
    if alive and ARGV[3] ~= '1' then return 'BUSY' end
    -- Forced against an earlier incarnation of the lane's own worker: that process is gone, its other lanes are free too.
    local namesake = string.sub(inc, 1, #ARGV[1] + 1) == ARGV[1] .. '.'
    if alive and namesake then redis.call('DEL', lease) end
    blamed = namesake or not alive
  end
end
local accused = {}
if blamed then
  -- The owner died with these delivered. Once some are suspected (they run alone), only those can be to blame.
  accused = redis.call('SMEMBERS', KEYS[5])
  if #accused == 0 then
    local pending = redis.pcall('XPENDING', KEYS[3], old, '-', '+', 10000)
    if not pending.err then
      for _, entry in ipairs(pending) do accused[#accused + 1] = entry[1] end
    end
  end
end
-- The destruction first: a full Redis takes it, and after it lets the script finish. Only a reader can make it emptier.
redis.pcall('XGROUP', 'DESTROY', KEYS[3], old or 'none')
if blamed then redis.call('DEL', KEYS[5]) end
for _, id in ipairs(accused) do redis.call('HINCRBY', KEYS[4], id, 1) end
if #accused > 0 then redis.call('EXPIRE', KEYS[4], 86400) end
local group = 'g' .. redis.call('INCR', KEYS[2])
redis.call('XGROUP', 'CREATE', KEYS[3], group, '0', 'MKSTREAM')
redis.call('HSET', KEYS[1], ARGV[1], string.sub(group, 2) .. '|' .. ARGV[2])
return group
