-- Takes one revision of an alert, if it is newer, and moves the position: all of it or nothing.
--
-- KEYS: 1 positions, 2 the alert's hash, 3 the stream of revisions,
--       4 .. 3 + enters: sorted sets that hold the alert from now on; the rest: those it leaves.
-- ARGV: 1 version of the layout, 2 field of the position, 3 field of the log, 4 log (empty: not known),
--       5 field of the last sequence, 6 position the caller read from, 7 position after this record,
--       8 revision, 9 sequence, 10 score in the sorted sets, 11 alert id, 12 length of the stream, 13 enters,
--       14 JSON of the alert, 15 .. field, value, field, value of the hash.
-- Returns {1, position} applied, {0, position} seen before, {-1, position} Redis has lost what came before,
--         {-2, 0} the run is being removed, {-3, last sequence} a new revision with an old sequence,
--         {-4, log} what is there was made of another log.
-- Everything is checked before the first write: Redis does not undo what a script wrote before an error.

if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then
  return {-2, 0}
end
local log = redis.call('HGET', KEYS[1], ARGV[3])
if log and ARGV[4] ~= '' and log ~= ARGV[4] then
  return {-4, log}
end
local position = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
if position < tonumber(ARGV[6]) then
  return {-1, position}
end
if position >= tonumber(ARGV[7]) then
  return {0, position}
end

if tonumber(ARGV[8]) > tonumber(redis.call('HGET', KEYS[2], 'revision') or '0') then
  local last = tonumber(redis.call('HGET', KEYS[1], ARGV[5]) or '0')
  if tonumber(ARGV[9]) <= last then
    return {-3, last}
  end
  redis.call('HSET', KEYS[2], 'json', ARGV[14], unpack(ARGV, 15))
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[12], ARGV[9] .. '-0',
    'id', ARGV[11], 'revision', ARGV[8], 'json', ARGV[14])
  local enters = tonumber(ARGV[13])
  for at = 4, 3 + enters do
    redis.call('ZADD', KEYS[at], ARGV[10], ARGV[11])
  end
  for at = 4 + enters, #KEYS do
    redis.call('ZREM', KEYS[at], ARGV[11])
  end
  redis.call('HSET', KEYS[1], ARGV[5], ARGV[9])
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[7], 'layout', ARGV[1])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
end
return {1, tonumber(ARGV[7])}
