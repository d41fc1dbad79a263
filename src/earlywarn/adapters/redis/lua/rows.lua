-- Takes the rows of aggregates that are newer than what is there, and moves the position: all or nothing.
--
-- KEYS: 1 positions, then for every group (panel and bucket kind) its hash of rows and its hash of ranks.
-- ARGV: 1 version of the layout, 2 field of the position, 3 field of the log, 4 log (empty: not known),
--       5 position the caller read from, 6 position after these records, then for every group: number of
--       rows, and for every row series id, rank, JSON. A rank is a text of fixed width: the newer, the greater.
-- Returns {1, position} applied, {0, position} seen before, {-1, position} Redis has lost what came before,
--         {-2, 0} the run is being removed, {-4, log} what is there was made of another log.

if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then
  return {-2, 0}
end
local log = redis.call('HGET', KEYS[1], ARGV[3])
if log and ARGV[4] ~= '' and log ~= ARGV[4] then
  return {-4, log}
end
local position = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
if position < tonumber(ARGV[5]) then
  return {-1, position}
end
if position >= tonumber(ARGV[6]) then
  return {0, position}
end

local SLICE = 1000  -- Lua's stack takes 8,000 values in one call
local at = 7
for key = 2, #KEYS, 2 do
  local rows = tonumber(ARGV[at])
  at = at + 1
  for first = 1, rows, SLICE do
    local count = math.min(SLICE, rows - first + 1)
    local ids = {}
    for row = 1, count do
      ids[row] = ARGV[at + 3 * (row - 1)]
    end
    local known = redis.call('HMGET', KEYS[key + 1], unpack(ids))
    local values, ranks = {}, {}
    for row = 1, count do
      local rank = ARGV[at + 3 * (row - 1) + 1]
      if not known[row] or rank > known[row] then
        values[#values + 1] = ids[row]
        values[#values + 1] = ARGV[at + 3 * (row - 1) + 2]
        ranks[#ranks + 1] = ids[row]
        ranks[#ranks + 1] = rank
      end
    end
    if #values > 0 then
      redis.call('HSET', KEYS[key], unpack(values))
      redis.call('HSET', KEYS[key + 1], unpack(ranks))
    end
    at = at + 3 * count
  end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[6], 'layout', ARGV[1])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
end
return {1, tonumber(ARGV[6])}
