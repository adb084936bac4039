"""The GS2-Script examples of the published documents of freeze, job queue and lock, as they stand there, both forms of each.

Only the names of things that must exist, or must not, are ours: <…> stands for one. The document of lock is older than the
other two: it sets blanks, and reads `message` where those read `errorMessage`.
"""

from __future__ import annotations

_PLAIN = """client = gs2('{service}')

api_result = client.{method}({{
{fields}}})

if(api_result.isError) then
    -- When error occurs
    fail(api_result['statusCode'], api_result['errorMessage'])
end

result = api_result.result
{rest}"""
_ASYNC = """client = gs2('{service}')

api_result_handler = client.{method}_async({{
{fields}}})

api_result = api_result_handler()  -- Call the handler to get the result

if(api_result.isError) then
    -- When error occurs
    fail(api_result['statusCode'], api_result['errorMessage'])
end

result = api_result.result
{rest}"""
_OLD_PLAIN = """client = gs2 ( '{service}' )

api_result = client.{method} ({{
{fields}}})

if ( api_result.isError ) then
    -- When error occurs
    fail ( api_result [ 'statusCode' ], api_result [ 'message' ])
end

result = api_result.result
{rest}"""
_OLD_ASYNC = """client = gs2 ( '{service}' )

api_result_handler = client.{method}_async ({{
{fields}}})

api_result = api_result_handler ()  -- Call the handler to get the result

if ( api_result.isError ) then
    -- When error occurs
    fail ( api_result [ 'statusCode' ], api_result [ 'message' ])
end

result = api_result.result
{rest}"""
_NEW = {"plain": _PLAIN, "async": _ASYNC}
_SHAPES = {"freeze": _NEW, "job_queue": _NEW, "lock": {"plain": _OLD_PLAIN, "async": _OLD_ASYNC}}

# service -> method -> (fields, what the example does with the result).
_ITEM, _ITEMS, _LIMITS = ("item = result.item;",), ("items = result.items;",), ("pageToken=nil,", "limit=nil,")
_PAGE = (*_ITEMS, "nextPageToken = result.nextPageToken;")
_STAGE = 'stageName="<stage>",'
_FREEZE = {
    "describe_outputs": ((_STAGE, *_LIMITS), _PAGE),
    "get_output": ((_STAGE, 'outputName="<output>",'), _ITEM),
    "describe_stages": ((), _ITEMS),
    "get_stage": ((_STAGE,), (*_ITEM, "source = result.source;", "current = result.current;")),
    "promote_stage": ((_STAGE,), _ITEM),
    "rollback_stage": ((_STAGE,), _ITEM),
}
_NS, _USER, _OFFSET = 'namespaceName="<ns>",', 'userId="<user>",', "timeOffsetToken=nil,"
_LOG = ("logSetting={", 'loggingNamespaceId="grn:gs2:ap-northeast-1:YourOwnerId:log:namespace-0001",', "},")
_UNSET = ("transactionSetting=nil,", "enableAutoRun=nil,", "pushNotification=nil,", "runNotification=nil,")
_RAN = (*_ITEM, "result = result.result;", "isLastJob = result.isLastJob;")
_TOKEN, _JOB, _UPLOAD = 'accessToken="<token>",', 'jobName="<job>",', 'uploadToken="<upload>",'
_JOBS = (
    "jobs={", "{", 'scriptId="script-0001",', 'args="{\\"hoge\\": \\"fuga\\"}",', "},",
    "{", 'scriptId="script-0001",', 'args="{\\"piyo\\": \\"piyopiyo\\"}",', "}", "},",
)  # fmt: skip
_JOB_QUEUE = {
    "describe_namespaces": (("namePrefix=nil,", *_LIMITS), _PAGE),
    "create_namespace": (('name="<ns>",', "description=nil,", *_UNSET, *_LOG), _ITEM),
    "get_namespace_status": ((_NS,), ("status = result.status;",)),
    "get_namespace": ((_NS,), _ITEM),
    "update_namespace": ((_NS, 'description="description1",', *_UNSET, *_LOG), _ITEM),
    "delete_namespace": ((_NS,), _ITEM),
    "get_service_version": ((), _ITEM),
    "dump_user_data_by_user_id": ((_USER, _OFFSET), ()),
    "check_dump_user_data_by_user_id": ((_USER, _OFFSET), ("url = result.url;",)),
    "clean_user_data_by_user_id": ((_USER, _OFFSET), ()),
    "check_clean_user_data_by_user_id": ((_USER, _OFFSET), ()),
    "prepare_import_user_data_by_user_id": (
        (_USER, _OFFSET), ("uploadToken = result.uploadToken;", "uploadUrl = result.uploadUrl;"),
    ),
    "import_user_data_by_user_id": ((_USER, _UPLOAD, _OFFSET), ()),
    "check_import_user_data_by_user_id": ((_USER, _UPLOAD, _OFFSET), ("url = result.url;",)),
    "describe_jobs_by_user_id": ((_NS, _USER, *_LIMITS, _OFFSET), _PAGE),
    "get_job_by_user_id": ((_NS, _USER, _JOB, _OFFSET), _ITEM),
    "push_by_user_id": ((_NS, _USER, *_JOBS, _OFFSET), (*_ITEMS, "autoRun = result.autoRun;")),
    "run": ((_NS, _TOKEN), _RAN),
    "run_by_user_id": ((_NS, _USER, _OFFSET), _RAN),
    "delete_job": ((_NS, _TOKEN, _JOB), _ITEM),
    "delete_job_by_user_id": ((_NS, _USER, _JOB, _OFFSET), _ITEM),
    "get_job_result": ((_NS, _TOKEN, _JOB, "tryNumber=nil,"), _ITEM),
    "get_job_result_by_user_id": ((_NS, _USER, _JOB, "tryNumber=nil,", _OFFSET), _ITEM),
}  # fmt: skip
_NS_, _USER_, _OFFSET_ = 'namespaceName = "<ns>" ,', 'userId = "<user>" ,', "timeOffsetToken = nil ,"
_PROPERTY_, _BY_, _TOKEN_ = 'propertyId = "property-0001" ,', 'transactionId = "transaction-0001" ,', 'accessToken = "<token>" ,'
_LOG_ = ("logSetting = {", 'loggingNamespaceId = "grn:gs2:ap-northeast-1:YourOwnerId:log:namespace1" ,', "},")
_ITEM_ = ("item = result.item",)
_LOCK = {
    "describe_namespaces": (("pageToken = nil ,", "limit = nil ,"), ("items = result.items",)),
    "create_namespace": (('name = "<ns>" ,', "description = nil ,", *_LOG_), _ITEM_),
    "get_namespace_status": ((_NS_,), ("status = result.status",)),
    "get_namespace": ((_NS_,), _ITEM_),
    "update_namespace": ((_NS_, 'description = "description1" ,', *_LOG_), _ITEM_),
    "delete_namespace": ((_NS_,), _ITEM_),
    "lock": ((_NS_, _PROPERTY_, _TOKEN_, _BY_, "ttl = 100000 ,"), _ITEM_),
    "lock_by_user_id": ((_NS_, _PROPERTY_, _USER_, _BY_, "ttl = 10 ,", _OFFSET_), _ITEM_),
    "unlock": ((_NS_, _PROPERTY_, _TOKEN_, _BY_), _ITEM_),
    "unlock_by_user_id": ((_NS_, _PROPERTY_, _USER_, _BY_, _OFFSET_), _ITEM_),
    "get_mutex": ((_NS_, _TOKEN_, _PROPERTY_), _ITEM_),
    "get_mutex_by_user_id": ((_NS_, _USER_, _PROPERTY_, _OFFSET_), _ITEM_),
    "delete_mutex_by_user_id": ((_NS_, _USER_, _PROPERTY_, _OFFSET_), _ITEM_),
}
SAMPLES = {"freeze": _FREEZE, "job_queue": _JOB_QUEUE, "lock": _LOCK}


def source(service: str, method: str, form: str) -> str:
    """The text of an example. form: plain or async."""
    fields, rest = ("".join(f"{line}\n" for line in lines) for lines in SAMPLES[service][method])
    return _SHAPES[service][form].format(service=service, method=method, fields=fields, rest=rest)
