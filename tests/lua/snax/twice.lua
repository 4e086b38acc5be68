-- Helper: a snax service that cannot be read.
function response.one()
end

function response.one()
end
