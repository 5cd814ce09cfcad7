-- SPDX-License-Identifier: BSD-2-Clause
-- What one connection of wrk asks for, in turn, and whether each answer is the one that is due, byte by byte. Ends by itself
-- before wrk does, between two requests: what was asked was answered. One connection per thread. Pages with the needle are
-- asked for as "/needle.html?THREAD-1", -2 and so on, so that a hit tells which request it is of.
-- Arguments: SECONDS DIRECTORY-OF-THE-PAGES
local threads = {}

function setup(thread)
   table.insert(threads, thread)
   thread:set("id", #threads)
end

local function contents(path)
   local f = assert(io.open(path, "rb"))
   local text = f:read("*a")
   f:close()
   return text
end

function init(args)
   local pages = args[2]
   local big, needle, small = contents(pages .. "/big.html"), contents(pages .. "/needle.html"), contents(pages .. "/small.html")
   local upload = string.rep("abcdefgh", 512) .. "E2E-UPLOAD"
   ends = os.time() + tonumber(args[1])
   needles, uploads, paths, wrong, turn, asked = 0, 0, 0, 0, 0, nil
   kinds = {}
   for n = 1, 20 do
      kinds[n] = {text = wrk.format("GET", "/small.html"), body = small}
   end
   kinds[3] = {text = wrk.format("GET", "/big.html"), body = big}
   kinds[6] = {path = "/needle.html", body = needle, counts = "needles"}
   kinds[9] = {text = wrk.format("POST", "/upload", nil, upload), body = "stored", counts = "uploads"}
   kinds[12] = {text = wrk.format("GET", "/e2e-path/x"), body = "here", counts = "paths"}
   kinds[15] = {text = wrk.format("GET", "/big.html"), body = big}
   kinds[18] = {path = "/needle.html", headers = {["Connection"] = "close"}, body = needle, counts = "needles"}
end

function request()
   turn = turn % #kinds + 1
   asked = kinds[turn]
   return asked.text or wrk.format("GET", string.format("%s?%d-%d", asked.path, id, needles + 1), asked.headers)
end

function response(status, headers, body)
   if status ~= 200 or body ~= asked.body then
      wrong = wrong + 1
   elseif asked.counts then
      _G[asked.counts] = _G[asked.counts] + 1
   end
   if os.time() >= ends then
      wrk.thread:stop()
   end
end

function done(summary, latency, requests)
   local sum, needles_of = {needles = 0, uploads = 0, paths = 0, wrong = 0}, {}
   for i, thread in ipairs(threads) do
      for name in pairs(sum) do
         sum[name] = sum[name] + thread:get(name)
      end
      needles_of[i] = thread:get("needles")
   end
   local e = summary.errors
   io.write(string.format('{"requests": %d, "bytes": %d, "needles": %d, "needles_of": [%s], "uploads": %d, "paths": %d, "wrong": %d, "errors": %d}\n',
      summary.requests, summary.bytes, sum.needles, table.concat(needles_of, ", "), sum.uploads, sum.paths, sum.wrong,
      e.connect + e.read + e.write + e.status + e.timeout))
end
