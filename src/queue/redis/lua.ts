/**
 * What the scripts of the Redis queue (scripts.ts) share, as Lua: how items and messages are laid out in the
 * arguments and in the keys, and the writes that most steps are made of.
 *
 * Those writes come in two kinds. Alone, a step writes at once. In a group of steps, what many of them write to the
 * same key is gathered and written once at the end: a command costs Redis more than what it writes. So nothing that is
 * gathered may be read again in the same call.
 */

/** Fences of different partitions differ by being counted in steps of this. */
export const mostPartitions = 16

/** How long a removed item is remembered at least: longer than a step can be repeated or arrive late. */
const rememberSeconds = 120

/** A body that is staged and never put is gone after this time. */
export const stagedSeconds = 3600

const names = `
local base = string.sub(KEYS[1], 1, -6)

-- The calls that removed items are kept by time; two of these keys cover every call that is still remembered.
local period
local function gone(ago)
  period = period or math.floor(tonumber(redis.call('TIME')[1]) / ${rememberSeconds})
  return base .. 'gone:' .. (period - ago)
end

local function removedBy(id)
  return redis.call('HGET', gone(0), id) or redis.call('HGET', gone(1), id)
end

local function anyRemoved(ids)
  for ago = 0, 1 do
    for from = 1, #ids, 1000 do
      for _, call in ipairs(redis.call('HMGET', gone(ago), unpack(ids, from, math.min(from + 999, #ids)))) do
        if call then return true end
      end
    end
  end
  return false
end
`

const atOnce = `
local function enter(set, score, id) redis.call('ZADD', base .. set, score, id) end
local function delist(id) redis.call('ZREM', base .. 'items', id) end
local function unlink(key) redis.call('UNLINK', key) end
local function take(key, field) redis.call('HDEL', key, field) end
local function grow(bytes) redis.call('HINCRBY', KEYS[1], 'bytes', bytes) end

local function count(connector, by)
  if redis.call('HINCRBY', base .. 'connectors', connector, by) < 1 then
    redis.call('HDEL', base .. 'connectors', connector)
  end
end

-- Greater than that of any lease before it, and never that of another item.
local function newFence()
  return redis.call('HINCRBY', KEYS[1], 'fence', ${mostPartitions})
end

local function remember(id, call)
  redis.call('HSET', gone(0), id, call)
  redis.call('EXPIRE', gone(0), ${3 * rememberSeconds}, 'NX')
end

local function unindex(id, connector)
  if redis.call('ZREM', base .. 'leased:' .. connector, id) == 1 then return end
  if redis.call('ZREM', base .. 'suspended:' .. connector, id) == 1 then return end
  redis.call('ZREM', base .. 'due:' .. connector, id)
  redis.call('ZREM', base .. 'deadlines', id)
end
`

const gathered = `
local entered, unindexed, counted = {}, {}, {}
local delisted, unlinked, taken, removed, grown, fence = {}, {}, {}, {}, 0, nil

local function listed(lists, name)
  lists[name] = lists[name] or {}
  return lists[name]
end

local function enter(set, score, id)
  local list = listed(entered, set)
  list[#list + 1] = score
  list[#list + 1] = id
end
local function delist(id) delisted[#delisted + 1] = id end
local function unlink(key) unlinked[#unlinked + 1] = key end
local function take(key, field)
  local list = listed(taken, key)
  list[#list + 1] = field
end
local function grow(bytes) grown = grown + bytes end
local function count(connector, by) counted[connector] = (counted[connector] or 0) + by end

local function newFence()
  fence = (fence or tonumber(redis.call('HGET', KEYS[1], 'fence'))) + ${mostPartitions}
  return fence
end

local function remember(id, call)
  removed[#removed + 1] = id
  removed[#removed + 1] = call
end

local function unindex(id, connector)
  local list = listed(unindexed, connector)
  list[#list + 1] = id
end

-- In parts, because Lua takes no list of any length as arguments. The sum of what Redis answers.
local function callWith(list, command, key)
  local sum = 0
  for from = 1, #list, 1000 do
    local to = math.min(from + 999, #list)
    if key then
      sum = sum + redis.call(command, key, unpack(list, from, to))
    else
      sum = sum + redis.call(command, unpack(list, from, to))
    end
  end
  return sum
end

local function write()
  if fence then redis.call('HSET', KEYS[1], 'fence', fence) end
  for connector, ids in pairs(unindexed) do
    if callWith(ids, 'ZREM', base .. 'leased:' .. connector) < #ids then
      callWith(ids, 'ZREM', base .. 'suspended:' .. connector)
      callWith(ids, 'ZREM', base .. 'due:' .. connector)
      callWith(ids, 'ZREM', base .. 'deadlines')
    end
  end
  for set, list in pairs(entered) do callWith(list, 'ZADD', base .. set) end
  callWith(delisted, 'ZREM', base .. 'items')
  for connector, by in pairs(counted) do
    if redis.call('HINCRBY', base .. 'connectors', connector, by) < 1 then
      redis.call('HDEL', base .. 'connectors', connector)
    end
  end
  if grown ~= 0 then redis.call('HINCRBY', KEYS[1], 'bytes', grown) end
  callWith(unlinked, 'UNLINK')
  for key, fields in pairs(taken) do callWith(fields, 'HDEL', key) end
  if #removed > 0 then
    callWith(removed, 'HSET', gone(0))
    redis.call('EXPIRE', gone(0), ${3 * rememberSeconds}, 'NX')
  end
end

-- The answer of one step of the group. One that meets what it cannot work with fails alone.
local function answerOf(step, ...)
  local worked, answer = pcall(step, ...)
  if worked then return answer end
  return { 'failed', type(answer) == 'table' and answer.err or tostring(answer) }
end
`

const steps = `
-- Makes an item that is not leased claimable, or not, as it is suspended.
local function index(id, connector, due, deadline, held)
  if held == '1' then
    enter('suspended:' .. connector, due, id)
  else
    enter('due:' .. connector, due, id)
    enter('deadlines', deadline, id)
  end
end

-- What stands in the arguments for one item: id, connector, next attempt, deadline, held, record, end of the lease.
local itemWidth = 7

local function add(at, call)
  local id, connector, due, deadline, held, record, leasedUntil = unpack(ARGV, at, at + 6)
  local fence = leasedUntil == '0' and 0 or newFence()
  redis.call('HSET', base .. 'item:' .. id, 'j', record, 'c', connector, 'd', due, 'x', deadline, 'h', held,
    'f', fence, 'l', leasedUntil, 'o', call)
  if leasedUntil == '0' then
    index(id, connector, due, deadline, held)
  else
    enter('leased:' .. connector, leasedUntil, id)
  end
  enter('items', 0, id)
  count(connector, 1)
  return fence
end

-- And for one message: id, size, where its body is, body or name, number of items, the items. The body stands there
-- itself (inline), was set beside the script (beside), or staged, in so many chunks.
local messageWidth = 5

-- The name that bodies beside this script have together, and the field of each.
local beside
local function fieldOf(id, call) return id .. '.' .. call end

local function unstaged(at, call)
  local id, size, where, name = unpack(ARGV, at, at + 3)
  if where == 'inline' then return false end
  if where == 'beside' then
    return redis.call('HSTRLEN', base .. 'body:' .. beside, fieldOf(id, call)) ~= tonumber(size)
  end
  return redis.call('HLEN', base .. 'body:' .. name) ~= tonumber(where)
end

local function addMessage(at, call)
  local id, size, where, body, n = unpack(ARGV, at, at + 4)
  local key = base .. 'message:' .. id
  if where == 'inline' then
    redis.call('HSET', key, 'by', call, 'size', size, 'refs', n, 'body', body)
  elseif where == 'beside' then
    redis.call('HSET', key, 'by', call, 'size', size, 'refs', n, 'name', beside)
  else
    redis.call('HSET', key, 'by', call, 'size', size, 'refs', n, 'chunks', where, 'name', body)
    redis.call('PERSIST', base .. 'body:' .. body)
  end
  grow(size)
  local fences = {}
  for i = 1, n do fences[i] = tostring(add(at + messageWidth + (i - 1) * itemWidth, call)) end
  return fences
end

local function drop(id, connector, call)
  unindex(id, connector)
  unlink(base .. 'item:' .. id)
  delist(id)
  count(connector, -1)
  remember(id, call)
end

-- Counts the items that need a body; the last one takes it along.
local function refer(messageId, by)
  if by == 0 then return end
  local key = base .. 'message:' .. messageId
  local refs, size, chunks, name, call = unpack(redis.call('HMGET', key, 'refs', 'size', 'chunks', 'name', 'by'))
  if (refs or 0) + by > 0 then
    redis.call('HINCRBY', key, 'refs', by)
  else
    unlink(key)
    if chunks then
      unlink(base .. 'body:' .. (name or messageId))
    elseif name then
      take(base .. 'body:' .. name, fieldOf(messageId, call))
    end
    grow(0 - (size or 0))
  end
end

-- An outcome in the arguments: number of items, 1 where a DSN follows, the items, the DSN.
local function outcomeFault(id, at)
  local n = tonumber(ARGV[at])
  for i = 0, n - 1 do
    local other = ARGV[at + 2 + i * itemWidth]
    if other ~= id and redis.call('EXISTS', base .. 'item:' .. other) == 1 then return 'exists' end
  end
  if ARGV[at + 1] == '0' then return end
  local dsn = at + 2 + n * itemWidth
  if redis.call('EXISTS', base .. 'message:' .. ARGV[dsn]) == 1 then return 'exists' end
  if unstaged(dsn) then return 'unstaged' end
end

local function outcomeEnd(at)
  local dsn = at + 2 + ARGV[at] * itemWidth
  if ARGV[at + 1] == '0' then return dsn end
  return dsn + messageWidth + ARGV[dsn + 4] * itemWidth
end

-- Replaces the item by its outcome.
local function become(id, connector, at, call)
  local n = tonumber(ARGV[at])
  local stays = false
  for i = 0, n - 1 do
    local from = at + 2 + i * itemWidth
    if ARGV[from] ~= id then
      add(from, call)
    else
      local _, to, due, deadline, held, record = unpack(ARGV, from, from + 5)
      stays = true
      unindex(id, connector)
      redis.call('HSET', base .. 'item:' .. id, 'j', record, 'c', to, 'd', due, 'x', deadline, 'h', held,
        'l', 0, 's', call)
      index(id, to, due, deadline, held)
      if to ~= connector then
        count(to, 1)
        count(connector, -1)
      end
    end
  end
  if not stays then drop(id, connector, call) end
  refer(string.sub(id, 1, 20), n - 1)
  if ARGV[at + 1] == '1' then addMessage(at + 2 + n * itemWidth, call) end
end

local function setAside(id, connector, record)
  redis.call('HSET', base .. 'corrupt', id, record)
  unindex(id, connector)
  delist(id)
  unlink(base .. 'item:' .. id)
  count(connector, -1)
end
`

/** Before the text of a script that takes one step. */
export const forOneStep = names + atOnce + steps

/** Before the text of one that takes many, and ends with `write()`. */
export const forManySteps = names + gathered + steps
