-- Takes one revision of an alert, if it is newer, and moves the position: all of it or nothing.
--
-- KEYS: 1 positions, 2 the alert's hash, 3 the stream of revisions,
--       4 .. 3 + enters: sorted sets that hold the alert from now on; the rest: those it leaves.
-- ARGV: 1 version of the layout, 2 field of the position, 3 field of the last sequence,
--       4 position the caller read from, 5 position after this record, 6 revision, 7 sequence,
--       8 score in the sorted sets, 9 alert id, 10 length of the stream, 11 enters, 12 JSON of the alert,
--       13 .. field, value, field, value of the hash.
-- Returns {1, position} applied, {0, position} seen before, {-1, position} Redis has lost what came before,
--         {-2, 0} the run is being removed, {-3, last sequence} a new revision with an old sequence.
-- Everything is checked before the first write: Redis does not undo what a script wrote before an error.

if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then
  return {-2, 0}
end
local position = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
if position < tonumber(ARGV[4]) then
  return {-1, position}
end
if position >= tonumber(ARGV[5]) then
  return {0, position}
end

if tonumber(ARGV[6]) > tonumber(redis.call('HGET', KEYS[2], 'revision') or '0') then
  local last = tonumber(redis.call('HGET', KEYS[1], ARGV[3]) or '0')
  if tonumber(ARGV[7]) <= last then
    return {-3, last}
  end
  redis.call('HSET', KEYS[2], 'json', ARGV[12], unpack(ARGV, 13))
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[10], ARGV[7] .. '-0',
    'id', ARGV[9], 'revision', ARGV[6], 'json', ARGV[12])
  local enters = tonumber(ARGV[11])
  for at = 4, 3 + enters do
    redis.call('ZADD', KEYS[at], ARGV[8], ARGV[9])
  end
  for at = 4 + enters, #KEYS do
    redis.call('ZREM', KEYS[at], ARGV[9])
  end
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[7])
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[5], 'layout', ARGV[1])
return {1, tonumber(ARGV[5])}
