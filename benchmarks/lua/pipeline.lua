-- Sends 16 requests at a time, without waiting for the answers in between.
dofile("report.lua")

local depth = 16
local batch

function init(args)
    local requests = {}
    for i = 1, depth do
        requests[i] = wrk.format()
    end
    batch = table.concat(requests)
end

function request()
    return batch
end
