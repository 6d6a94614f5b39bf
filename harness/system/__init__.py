"""The system under test: one trial, from an example's input to a record.

`System(variant, parts, pacer, timer).answer(example_id, input, repeat)` walks a resolved
`core.variant.LiveVariant` through normalise, route, before-checks, retrieve, context, generate with
its tool loop, draft, validate, repair and fallback. `Parts` are the plugins that it uses, made by
the composition root. `requests.requests(variant, parts)` are the requests that it would send.
"""
