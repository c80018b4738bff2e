-- Settle finished events: acknowledge, send their actions, delete, count, tell the nexus. Items are independent.
-- KEYS: lane stream, dead stream, stats hash, orphans stream
-- ARGV: lane, group, prefix, n, n * (entry id, reason if dead or '', payload if dead or '', k, k * (bot, action payload)),
--       where k is -1 for a skill call: the payload is then its result, which goes to the results,
--       then (nexus inc, count, sum of received ms, and behind a space how many of them are dead)*
-- Answer: a letter per item: s settled, x fenced (somebody else settled it: nothing was sent),
--         k acknowledged, but Redis refused an action or the dead letter (a key of the wrong type)
local lane, group, prefix = ARGV[1], ARGV[2], ARGV[3]
local letters, done, died, answered = {}, 0, 0, 0
local owners = {}

local function owner(bot)
  local nexus = owners[bot]
  if nexus == nil then
    nexus = redis.pcall('HGET', prefix .. 'bot:' .. bot, 'nexus')
    if type(nexus) ~= 'string' then nexus = false end
    owners[bot] = nexus
  end
  return nexus
end

local function refused(reply) return type(reply) == 'table' and reply.err end

local function enqueue(bot, payload)
  local nexus = owner(bot)
  local id = nexus and redis.pcall('XADD', prefix .. 'actions:' .. nexus, 'NOMKSTREAM', '*', 'payload', payload)
  if not id then id = redis.pcall('XADD', KEYS[4], '*', 'payload', payload) end
  return not refused(id)
end

local function report(payload)
  local id = redis.pcall('XADD', prefix .. 'skills:results', 'MAXLEN', '~', 100000, '*', 'payload', payload)
  return not refused(id)
end

local at = 5
for i = 1, tonumber(ARGV[4]) do
  local id, reason, payload, k = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  -- The acknowledgement first: its 1 is the fence; and it is taken when Redis is full, after which the engine lets
  -- a script finish what it began.
  if redis.call('XACK', KEYS[1], group, id) == 0 then
    letters[i] = 'x'
  else
    local whole = true
    if k < 0 then whole = report(payload) end
    for j = 0, k - 1 do whole = enqueue(ARGV[at + 2 * j], ARGV[at + 2 * j + 1]) and whole end
    if reason ~= '' then
      local dead = redis.pcall('XADD', KEYS[2], '*', 'payload', payload, 'reason', reason, 'lane', lane, 'entry', id)
      whole = not refused(dead) and whole
      died = died + 1
    elseif k < 0 then
      answered = answered + 1
    else
      done = done + 1
    end
    redis.call('XDEL', KEYS[1], id)
    letters[i] = whole and 's' or 'k'
  end
  at = at + 2 * math.max(k, 0)
end
if done > 0 then redis.pcall('HINCRBY', KEYS[3], 'done', done) end
if answered > 0 then redis.pcall('HINCRBY', KEYS[3], 'answered', answered) end
if died > 0 then redis.pcall('HINCRBY', KEYS[3], 'dead', died) end
while ARGV[at] do
  redis.call('PUBLISH', prefix .. 'settled:' .. ARGV[at], lane .. ' ' .. ARGV[at + 1] .. ' ' .. ARGV[at + 2])
  at = at + 3
end
return table.concat(letters)
