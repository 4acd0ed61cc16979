/**
 * The steps of the runtime state in Redis, each one Lua script and so atomic, safe to run twice with the same
 * arguments, as those of the queue (queue/redis/scripts.ts).
 *
 * Keys, all under one hash tag (`{relay:state}:…`):
 *
 *   store      hash: epoch (random, made once), format, revision
 *   objects    hash: kind/id → record
 *   changed    zset: kind/id by the revision that last changed it, also for a while of those that were removed
 *   removed    zset: kind/id by the revision that removed it
 *   history    zset: the last changes, each named by the call that made it, by its revision
 *
 * A node that says which change it saw last is told what came after. Where that change is not in the history (it
 * is too old, or a failover lost it), the node reads everything anew.
 */

/** So many changes a node may miss before it has to read everything. */
const historyLength = 1000

const script = (flags: string, text: string): string =>
  `#!lua flags=${flags}\nlocal base = string.sub(KEYS[1], 1, -6)\n${text}`

/** Small, and what an operator does about a full store must be possible when it is full. */
const writing = (text: string): string => script('allow-oom', text)
const reading = (text: string): string => script('no-writes,allow-oom', text)

export const redisStateScripts = {
  /** epoch, format → what the store had before, or has now */
  openState: writing(`
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
redis.call('HSETNX', KEYS[1], 'format', ARGV[2])
return redis.call('HMGET', KEYS[1], 'epoch', 'format')
`),

  /**
   * epoch, call, revision that there must be ('' any), then in turn: key, version that is replaced ('' none), unreadable
   * record that may be replaced ('' none), new record ('' removes) → done and revision | conflict, key and its version
   * ('' none) | passed and revision | lost
   */
  changeState: writing(`
local epoch, call, planned = unpack(ARGV, 1, 3)
if redis.call('HGET', KEYS[1], 'epoch') ~= epoch then return { 'lost' } end
local done = redis.call('ZSCORE', base .. 'history', call)
if done then return { 'done', done } end

local width = 4
for at = 4, #ARGV, width do
  local key, expected, unreadable = unpack(ARGV, at, at + 2)
  local record = redis.call('HGET', base .. 'objects', key)
  local version = record and string.match(record, '^{"version":(%d+),') or ''
  if record and unreadable ~= '' and record == unreadable then version = '' end
  if version ~= expected or (record and version == '' and record ~= unreadable) then
    return { 'conflict', key, version }
  end
end

local last = redis.call('HGET', KEYS[1], 'revision') or '0'
if planned ~= '' and planned ~= last then return { 'passed', last } end

local revision = redis.call('HINCRBY', KEYS[1], 'revision', 1)
for at = 4, #ARGV, width do
  local key, record = ARGV[at], ARGV[at + 3]
  if record == '' then
    redis.call('HDEL', base .. 'objects', key)
    redis.call('ZADD', base .. 'removed', revision, key)
  else
    redis.call('HSET', base .. 'objects', key, record)
    redis.call('ZREM', base .. 'removed', key)
  end
  redis.call('ZADD', base .. 'changed', revision, key)
end
redis.call('ZADD', base .. 'history', revision, call)

local surplus = redis.call('ZCARD', base .. 'history') - ${historyLength}
if surplus > 0 then
  redis.call('ZREMRANGEBYRANK', base .. 'history', 0, surplus - 1)
  local oldest = redis.call('ZRANGE', base .. 'history', 0, 0, 'WITHSCORES')[2]
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', base .. 'removed', '-inf', oldest)) do
    redis.call('ZREM', base .. 'removed', key)
    redis.call('ZREM', base .. 'changed', key)
  end
end
return { 'done', tostring(revision) }
`),

  /**
   * epoch, last change and revision that are known ('' and 0 at first), call → same | lost | unknown (the change),
   * with the last change and its revision | since, with both, then key and record (nothing where it was removed) of
   * what changed
   */
  changesSince: writing(`
local epoch, known, knownRevision, call = unpack(ARGV)
local stored, revision = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'revision'))
if stored ~= epoch then return { 'lost' } end
revision = tonumber(revision or 0)
local last = redis.call('ZRANGE', base .. 'history', -1, -1)[1] or ''
if known == last then return { 'same' } end
local from = redis.call('ZSCORE', base .. 'history', known)
if not from then
  -- A failover has lost changes that a node knows: the revision must not go back for it.
  if revision <= tonumber(knownRevision) then
    revision, last = knownRevision + 1, call
    redis.call('HSET', KEYS[1], 'revision', revision)
    redis.call('ZADD', base .. 'history', revision, call)
  end
  return { 'unknown', last, tostring(revision) }
end
local answer = { 'since', last, tostring(revision) }
for _, key in ipairs(redis.call('ZRANGEBYSCORE', base .. 'changed', '(' .. from, '+inf')) do
  table.insert(answer, key)
  table.insert(answer, redis.call('HGET', base .. 'objects', key))
end
return answer
`),

  /** epoch, cursor ('0' at first) → cursor ('0' at the end), then key and record in turn | lost */
  scanState: reading(`
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return { 'lost' } end
local cursor, answer = unpack(redis.call('HSCAN', base .. 'objects', ARGV[2], 'COUNT', 500))
table.insert(answer, 1, cursor)
return answer
`),
}

export type RedisStateScript = keyof typeof redisStateScripts
