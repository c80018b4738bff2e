-- What a nexus needs to know of all lanes and parking places, in one call. What is no lane is left out.
-- KEYS: own, set of parking places    ARGV: prefix, lease prefix, name of the parking place
-- Answer: per lane {lane, owner inc, lease alive 0|1, oldest id or '', newest id or '', length,
--         presence of its namesake as a flat list}
local lanes = {}

local function describe(lane, inc, stream, presence)
  local first = redis.pcall('XRANGE', stream, '-', '+', 'COUNT', 1)
  if first.err then return end
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  lanes[#lanes + 1] = {
    lane, inc, redis.call('EXISTS', ARGV[2] .. inc), first[1] and first[1][1] or '', last[1] and last[1][1] or '',
    redis.call('XLEN', stream), presence.err and {} or presence
  }
end

describe(ARGV[3], '', ARGV[1] .. 'queue:' .. ARGV[3], {})
local places = redis.pcall('SMEMBERS', KEYS[2])
for i = 1, places.err and 0 or #places do
  if string.find(places[i], '^wait:') or string.find(places[i], '^away:') then
    describe(places[i], '', ARGV[1] .. 'queue:' .. places[i], {})
  end
end
local own = redis.call('HGETALL', KEYS[1])
for i = 1, #own, 2 do
  local lane, inc = own[i], string.match(own[i + 1], '|(.*)$')
  if inc and string.match(lane, '^[%w_.-]+$') and lane ~= ARGV[3] then
    describe(lane, inc, ARGV[1] .. 'queue:worker:' .. lane, redis.pcall('HGETALL', ARGV[1] .. 'worker:' .. lane))
  end
end
return lanes
