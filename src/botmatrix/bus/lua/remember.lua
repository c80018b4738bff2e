-- Add messages to contexts (of a person, of a conversation): the last message, and the history, oldest first.
-- KEYS: contexts   ARGV: kept, ttl s, then for each key: whose, last, time, n, n * (event id, entry)
--   `whose`: the context's own fields, `last`: last_msg and last_time, both JSON without braces; `time`: unix s;
--   `entry`: one message, a JSON object
-- Answer: how many messages were added. One whose event id is there already is left out, so a call may be made again.
-- An entry is on a line of its own, which JSON never breaks, so that nothing is parsed; only what others wrote is.
local kept, ttl = tonumber(ARGV[1]), ARGV[2]
local at, added = 3, 0

local function foreign(old)
  local ok, document = pcall(cjson.decode, old)
  local history = ok and type(document) == 'table' and document.history
  local found = {}
  for _, entry in ipairs(type(history) == 'table' and history or {}) do
    local fits, line = pcall(cjson.encode, type(entry) == 'table' and entry or {text = tostring(entry)})
    if fits then found[#found + 1] = line end
  end
  return found
end

local function entries(old)
  if old == '' then return {} end
  if string.sub(old, -3) ~= '\n]}' then return foreign(old) end
  local found = {}
  for line in string.gmatch(old, '\n({[^\n]*})') do found[#found + 1] = line end
  return found
end

for i = 1, #KEYS do
  local whose, last, time, n = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local old = redis.pcall('GET', KEYS[i])
  if type(old) ~= 'string' then old = '' end
  local history, fresh = entries(old), 0
  for _ = 1, n do
    if not string.find(old, ARGV[at], 1, true) then
      history[#history + 1] = ARGV[at + 1]
      fresh = fresh + 1
    end
    at = at + 2
  end
  if fresh > 0 then
    local created = string.match(old, '"created_at":(%d+)') or time
    local head = '{' .. whose .. ',' .. last .. ',"created_at":' .. created .. ',"updated_at":' .. time
    local lines = table.concat(history, ',\n', math.max(1, #history - kept + 1))
    redis.call('SET', KEYS[i], head .. ',"history":[\n' .. lines .. '\n]}', 'EX', ttl)
    added = added + fresh
  end
end
return added
