"""What a script finds, and how it answers."""
from __future__ import annotations

import json

import pytest

from tests.scripting.conftest import error_of

METHODS = {"freeze": ("get_stage", "describe_stages"), "job_queue": ("push_by_user_id",)}
# Every name that a script can reach. Another name here is a decision, not an accident.
NAMES = {
    "": "_G _VERSION args assert error fail getmetatable gs2 http ipairs math next os pairs print rawequal rawget rawlen"
    " rawset select setmetatable string table tonumber tostring transaction type utf8 util",
    "http": "get",
    "math": "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi rad random"
    " randomseed sin sqrt tan tointeger type ult",
    "os": "clock date time",
    "string": "byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper",
    "table": "concat insert move pack remove sort unpack",
    "transaction": "service",
    "utf8": "char charpattern codepoint codes len offset",
    "util": "array json_to_table list null split table_to_json",
}


def test_a_script_reaches_these_names_and_no_others(value):
    found = value(
        "local names = {} for key, item in pairs(_G) do names[''] = (names[''] or '') .. key .. ' '"
        " if type(item) == 'table' and item ~= _G and key ~= 'args' then"
        " for inner in pairs(item) do names[key] = (names[key] or '') .. inner .. ' ' end end end return names"
    )
    assert {table: set(names.split()) for table, names in found.items()} == {k: set(v.split()) for k, v in NAMES.items()}


def test_the_result_is_what_the_script_assigns(lua):
    assert lua("result = { permit = true, n = args.n + 1 }", {"n": 41}).result == '{"n":42,"permit":true}'


def test_a_result_that_is_never_assigned_is_an_empty_object(lua):
    assert lua("local x = 1").result == "{}"


@pytest.mark.parametrize("source", ["result = 3", "result = 'three'", "result = {1, 2}", "result = false"])
def test_a_result_may_be_any_json_value(lua, source):
    assert lua(source).succeeded


def test_the_user_id_is_a_global_text_also_when_it_is_digits(lua):
    assert lua("result = { user = userId, kind = type(userId) }", user_id="0123").result == '{"kind":"string","user":"0123"}'
    assert lua("result = { none = userId == nil }").result == '{"none":true}'


def test_fail_ends_the_script_with_its_status_and_message(lua):
    outcome = lua("fail(404, 'no such stage') print('not reached')")
    assert (outcome.status_code, outcome.retry, outcome.output) == (404, True, [])
    assert error_of(outcome) == {"component": "script", "message": "no such stage", "code": "no such stage"}


def test_fail_with_false_is_not_retried(lua):
    assert lua("fail(400, 'never', false)").retry is False


def test_fail_passes_the_error_list_of_an_api_on(lua):
    text = '[{"component":"stage","message":"freeze.stage.stage.error.notFound"}]'
    assert lua(f"fail(404, '{text}')").result == text


@pytest.mark.parametrize("status", ["200", "299", "nil", "'x'", "-1", "1001", "4.5", "{}"])
def test_fail_never_succeeds(lua, status):
    assert lua(f"fail({status}, 'odd')").status_code == 500


def test_fail_inside_functions_iterators_and_comparators_ends_the_script(lua):
    for source in (
        "local function inner() fail(409, 'x') end inner()",
        "for _ in function() fail(409, 'x') end do end",
        "table.sort({3, 2, 1}, function() fail(409, 'x') end)",
        "('abc'):gsub('.', function() fail(409, 'x') end)",
        "local x <close> = setmetatable({}, {__close = function() error('other') end}) fail(409, 'x')",
        "local x <close> = setmetatable({}, {__close = function() fail(200, 'y') end}) fail(409, 'x')",
    ):
        assert lua(source).status_code == 409, source


def test_a_lua_error_is_500_with_its_line(lua):
    outcome = lua("local x = nil\n\nlocal y = x.field")
    assert outcome.status_code == 500
    assert error_of(outcome)["message"] == "line 3: attempt to index a nil value (local 'x')"
    assert error_of(outcome)["code"] == "script.execution.error"


def test_an_error_inside_a_library_function_names_the_line_of_the_script(lua):
    assert error_of(lua("\nstring.rep()"))["message"].startswith("line 2: bad argument #1")


@pytest.mark.parametrize("raised", ["'plain'", "{code = 5}", "nil", "true", "print", "setmetatable({}, {__tostring = error})"])
def test_any_value_can_be_raised_as_an_error(lua, raised):
    outcome = lua(f"error({raised})")
    assert outcome.status_code == 500 and error_of(outcome)["message"].startswith("line 1: ")


def test_a_script_that_does_not_parse_is_400_with_its_line(lua):
    outcome = lua("local x = 1\nlocal y = = 2")
    assert outcome.status_code == 400
    assert error_of(outcome)["code"] == "script.execution.syntax"
    assert error_of(outcome)["message"].startswith("line 2: unexpected symbol")


def test_a_script_of_five_megabytes_that_does_not_parse_is_refused_with_its_line(lua):
    from jobqueue.scripting.pool import Limits

    outcome = lua("x = 1\n" * 870_000 + "x = = 1", limits=Limits())
    assert outcome.status_code == 400 and error_of(outcome)["message"].startswith("line 870001: ")


def test_printed_lines_are_collected(lua):
    assert lua("print('a', 1, nil, true) print() print('two\\nlines')").output == ["a\t1\tnil\ttrue", "", "two", "lines"]
    assert lua("local x = 1").output == []


def test_lines_printed_before_a_failure_are_kept(lua):
    assert lua("print('before') error('x')").output == ["before"]
    assert lua("print('before') while true do end").output == ["before"]


def test_bytes_that_are_no_text_are_printed_as_replacement_characters(lua):
    assert lua("print('\\255\\0end')").output == ["��end"]
    assert lua("error('\\255\\0end')").status_code == 500


def test_time_is_there_but_nothing_else_of_os(value):
    assert abs(value("os.time() - args.now", {"now": int(__import__("time").time())})) <= 2
    assert value("os.date('!%Y-%m-%d', 0)") == "1970-01-01"
    assert value("os.clock() >= 0") is True


def test_a_bad_date_format_is_an_error_and_no_crash(lua):
    for given in ("'%Q'", "'%'", "'*t', 1e300", "'%Ez' .. ('%'):rep(99)", "nil, 2^60"):
        assert lua(f"os.date({given})").status_code == 500, given
    assert lua("result = {}").succeeded


# ── gs2() ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("form", ["client.{m}({p})", "client.{m}_async({p})()", "client:{m}({p})"])
def test_a_call_goes_to_the_parent_and_its_answer_comes_back(lua, form):
    asked = []

    def call(service, method, params):
        asked.append((service, method, json.loads(params)))
        return 200, '{"item": {"name": "dev", "revision": 9223372036854775807}, "nextPageToken": null}'

    text = form.format(m="get_stage", p='{ stageName = "dev", pageToken = nil }')
    source = f"client = gs2('freeze') r = {text} result = r.result result.ok = not r.isError print(r.statusCode)"
    outcome = lua(source, call=call, methods=METHODS)
    assert asked == [("freeze", "get_stage", {"stageName": "dev"})]
    assert outcome.result == '{"item":{"name":"dev","revision":9223372036854775807},"ok":true}'
    assert outcome.output == ["200"]


def test_a_failed_call_is_told_not_thrown(lua):
    body = json.dumps({"message": '[{"component":"stage","message":"freeze.stage.stage.error.notFound"}]'})
    source = (
        "r = gs2('freeze').get_stage({}) print(r.isError, r.statusCode, r.result) print(r.errorMessage == r.message)"
        " fail(r.statusCode, r.errorMessage)"
    )
    outcome = lua(source, call=lambda *_: (404, body), methods=METHODS)
    assert outcome.output == ["true\t404\tnil", "true"]
    assert (outcome.status_code, error_of_list(outcome)) == (404, "freeze.stage.stage.error.notFound")


def error_of_list(outcome) -> str:
    return json.loads(outcome.result)[0]["message"]


def test_a_call_inside_a_comparator_works(lua):
    source = "local c = gs2('freeze') t = {2, 1} table.sort(t, function(a, b) c.get_stage() return a < b end) result = t"
    assert lua(source, call=lambda *_: (200, "{}"), methods=METHODS).result == "[1,2]"


UNKNOWN_SERVICES = ("inventory", "bank", "http", "", "job-queue", "Freeze", "freeze ", "a\\0b", "竜", "freeze get_stage", "x" * 5_000)
UNKNOWN_METHODS = ("get_bank", "_async", "getStage", "get_stage2", "a\\0b", "__index", "x" * 5_000)


def test_what_is_not_served_answers_with_an_error_that_a_script_can_test(lua):
    """A script cannot catch: so no name of a service or method ends it, in any form of a call."""
    asked = []
    names = [(name, "any_method") for name in UNKNOWN_SERVICES] + [("freeze", name) for name in UNKNOWN_METHODS]
    for service, method in names:
        for form in ("c['{m}']({{}})", "c['{m}'](c, {{x = print}})", "c['{m}_async']{{}}()", "c['{m}']()"):
            source = f"c = gs2('{service}') r = {form.format(m=method)} result = {{r.isError, r.statusCode, r.result == nil, r.errorMessage, r.message}}"
            found = lua(source, methods=METHODS | {"http": ("get",)}, call=lambda *a: (asked.append(a), (200, "{}"))[1])
            assert found.status_code == 200, (service, method, found)
            failed, status, empty, error, same = json.loads(found.result)
            [problem] = json.loads(error)
            component, word = ("method", "freeze.request.method") if service == "freeze" else ("request", "transport.http.request")
            assert problem == {"component": component, "message": f"{word}.error.notFound", "code": f"{word}.error.notFound"}, (service, method)
            assert (failed, status, empty, same) == (True, 404, True, error)
    odd = "result = {gs2('freeze').get_stage_async_async({})().statusCode, gs2('freeze')['']({}).statusCode}"
    assert lua(odd, methods=METHODS).result == "[404,404]"
    assert not asked
    passed_on = lua("r = gs2('inventory').get_item_set({}) if r.isError then fail(r.statusCode, r.errorMessage) end", methods=METHODS)
    assert (passed_on.status_code, error_of(passed_on)["code"]) == (404, "transport.http.request.error.notFound")


@pytest.mark.parametrize("source", ["gs2(nil)", "gs2()", "gs2({})", "gs2(5)", "gs2(print)"])
def test_what_is_no_name_is_a_mistake_of_the_script_with_its_line(lua, source):
    assert error_of(lua("\n" + source, methods=METHODS))["message"] == "line 2: gs2() needs the name of a service"


def test_a_known_method_of_another_services_name_is_spelt_as_over_rest(lua):
    source = "r = gs2('job_queue').nothing({}) result = {r.message}"
    assert "job-queue.request.method.error.notFound" in lua(source, methods=METHODS).result


def test_parameters_that_are_no_json_are_answered_not_thrown(lua):
    source = "r = gs2('freeze').get_stage({ f = print }) result = { r.isError, r.statusCode, r.message }"
    outcome = lua(source, methods=METHODS, call=lambda *_: (200, "{}"))
    assert json.loads(outcome.result) == [True, 400, "a function cannot be written as JSON"]


def test_http_is_refused_until_the_parent_allows_it(lua):
    source = "r = http.get('http://127.0.0.1/') result = { r.isError, r.statusCode, r.errorMessage or r.result }"
    assert json.loads(lua(source).result) == [True, 400, "http is not allowed"]
    allowed = lua(source, methods={"http": ("get",)}, call=lambda s, m, p: (200, json.dumps(json.loads(p)["url"])))
    assert json.loads(allowed.result) == [False, 200, "http://127.0.0.1/"]


# ── util, transaction, random ───────────────────────────────────────────────────────────────────────────────
def test_split_is_plain_and_counts_from_one(value):
    assert value("util.split('a.b..c', '.').result") == ["a", "b", "", "c"]
    assert value("util.split('abc', '').isError") is True


def test_json_goes_both_ways_in_scripts(value):
    assert value("util.table_to_json({ b = 1, a = { 'x' } }).result") == '{"a":["x"],"b":1}'
    assert value("""util.json_to_table('{"id":"12","n":3}').result""") == {"id": 12, "n": 3}
    assert value("""util.json_to_table('{"id":"12","n":3}', true).result""") == {"id": "12", "n": 3}
    assert value("util.json_to_table('{').isError") is True
    assert value("util.table_to_json({ print }).statusCode") == 400


def test_transaction_actions_are_collected_into_the_outcome(lua):
    outcome = lua(
        "transaction.service('jobQueue').acquire.push_by_user_id({ namespaceName = 'n' })"
        " transaction.service('jobQueue').consume.delete_job_by_user_id({ jobName = 'j' })"
        " transaction.service('freeze').verify.get_stage()"
    )
    sheet = json.loads(outcome.transaction)
    assert sheet.pop("transactionId")
    assert sheet == {
        "acquireActions": [{"action": "Gs2JobQueue:PushByUserId", "request": '{"namespaceName":"n"}'}],
        "consumeActions": [{"action": "Gs2JobQueue:DeleteJobByUserId", "request": '{"jobName":"j"}'}],
        "verifyActions": [{"action": "Gs2Freeze:GetStage", "request": "{}"}],
    }
    assert lua("transaction.service('a').acquire.b({}) error('x')").transaction is None
    assert lua("result = {}").transaction is None


DRAW = "local r = math.random result = { r(), r(6), r(-5, 5), r(0), r(math.mininteger, math.maxinteger) }"


def test_a_seed_repeats_the_draws(lua):
    first = lua(DRAW)
    again = lua(DRAW, random_status={"seed": first.random_status["seed"]})
    assert again.result == first.result
    assert again.random_status == first.random_status
    assert first.random_status["used"][0]["used"] >= 5


def test_two_runs_without_a_seed_draw_differently(lua):
    assert len({lua(DRAW).result for _ in range(5)}) == 5


def test_draws_that_were_used_are_skipped(lua):
    whole = json.loads(lua("result = { math.random(), math.random(), math.random() }", random_status={"seed": 7}).result)
    used = {"seed": 7, "used": [{"category": "math.random", "used": 2}]}
    assert json.loads(lua("result = { math.random() }", random_status=used).result) == whole[2:]


def test_random_numbers_stay_in_their_range(value):
    assert value("for i = 1, 500 do local r = math.random(3) if r < 1 or r > 3 then return r end end return 'ok'") == "ok"
    assert value("for i = 1, 500 do local r = math.random() if r < 0 or r >= 1 then return r end end return 'ok'") == "ok"


def test_how_long_it_ran_and_what_it_used_is_told(lua):
    outcome = lua("local t = {} for i = 1, 200000 do t[i % 7] = i end")
    assert 0 < outcome.cpu_ms < 600 and 0 < outcome.execute_ms < 2000 and outcome.memory_bytes > 10_000
