CREATE TABLE "audit_activity" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "actor_kind" varchar(16) NOT NULL, "actor_id" varchar(64) NOT NULL, "actor_name" varchar(150) NOT NULL, "action" varchar(64) NOT NULL, "object_type" varchar(32) NOT NULL, "object_id" varchar(64) NOT NULL, "object_name" varchar(300) NOT NULL, "player" varchar(128) DEFAULT '' NOT NULL, "before" text NULL CHECK ((JSON_VALID("before") OR "before" IS NULL)), "after" text NULL CHECK ((JSON_VALID("after") OR "after" IS NULL)), "reason" text NOT NULL, "door" varchar(16) NOT NULL, "ip" varchar(45) NOT NULL, "request_id" varchar(64) NOT NULL);
CREATE TABLE "audit_note" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "about" varchar(16) NOT NULL, "about_id" varchar(128) NOT NULL, "text" text NOT NULL, "by_kind" varchar(16) NOT NULL, "by_id" varchar(64) NOT NULL, "by_name" varchar(150) NOT NULL, "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "note_about_known" CHECK ("about" IN ('player', 'rollout')));
CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
CREATE TABLE "auth_group_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "content_type_id" integer NOT NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "codename" varchar(100) NOT NULL, "name" varchar(255) NOT NULL);
CREATE TABLE "django_admin_log" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "object_id" text NULL, "object_repr" varchar(200) NOT NULL, "action_flag" smallint unsigned NOT NULL CHECK ("action_flag" >= 0), "change_message" text NOT NULL, "content_type_id" integer NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" bigint NOT NULL REFERENCES "identity_user" ("id") DEFERRABLE INITIALLY DEFERRED, "action_time" datetime NOT NULL);
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
CREATE TABLE "django_q_ormq" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "key" varchar(100) NOT NULL, "payload" text NOT NULL, "lock" datetime NULL);
CREATE TABLE "django_q_schedule" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "func" varchar(256) NOT NULL, "hook" varchar(256) NULL, "args" text NULL, "kwargs" text NULL, "repeats" integer NOT NULL, "next_run" datetime NULL, "task" varchar(100) NULL, "name" varchar(100) NULL, "minutes" smallint unsigned NULL CHECK ("minutes" >= 0), "cron" varchar(100) NULL, "cluster" varchar(100) NULL, "schedule_type" varchar(2) NOT NULL, "intended_date_kwarg" varchar(100) NULL);
CREATE TABLE "django_q_task" ("name" varchar(100) NOT NULL, "func" varchar(256) NOT NULL, "hook" varchar(256) NULL, "args" text NULL, "kwargs" text NULL, "result" text NULL, "started" datetime NOT NULL, "stopped" datetime NOT NULL, "success" bool NOT NULL, "id" varchar(32) NOT NULL PRIMARY KEY, "group" varchar(100) NULL, "attempt_count" integer NOT NULL, "cluster" varchar(100) NULL);
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
CREATE TABLE "engine_enginechore" ("name" varchar(200) NOT NULL PRIMARY KEY, "ran_at" datetime NOT NULL);
CREATE TABLE "engine_enginecluster" ("id" char(32) NOT NULL PRIMARY KEY, "queue" varchar(100) NOT NULL, "host" varchar(255) NOT NULL, "pid" integer unsigned NOT NULL CHECK ("pid" >= 0), "workers" smallint unsigned NOT NULL CHECK ("workers" >= 0), "started_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "seen_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "beat_at" datetime NULL, "latency_ms" integer unsigned NULL CHECK ("latency_ms" >= 0), "draining" bool NOT NULL);
CREATE TABLE "engine_engineworker" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "cluster_id" char(32) NOT NULL, "pid" integer unsigned NOT NULL CHECK ("pid" >= 0), "busy_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "doing" varchar(200) NOT NULL, CONSTRAINT "engine_worker_once" UNIQUE ("cluster_id", "pid"));
CREATE TABLE "identity_accesstoken" ("token_hash" varchar(64) NOT NULL PRIMARY KEY, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" varchar(128) NOT NULL, "time_offset_s" bigint NOT NULL, "expires_at" datetime NOT NULL);
CREATE TABLE "identity_credential" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "client_id" varchar(64) NOT NULL UNIQUE, "secret_hash" varchar(64) NOT NULL, "sealed_secret" varchar(255) NOT NULL, "role" varchar(16) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "created_by" varchar(150) NOT NULL, "revoked_at" datetime NULL, "secret_sha256" varchar(64) DEFAULT '' NOT NULL, CONSTRAINT "credential_role_known" CHECK ("role" IN ('viewer', 'producer', 'support', 'developer', 'admin', 'service')));
CREATE TABLE "identity_guesses" ("key" varchar(64) NOT NULL PRIMARY KEY, "count" integer unsigned NOT NULL CHECK ("count" >= 0), "ends_ms" bigint NOT NULL);
CREATE TABLE "identity_membership" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" bigint NOT NULL REFERENCES "identity_user" ("id") DEFERRABLE INITIALLY DEFERRED, "role" varchar(16) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "one_membership_per_person" UNIQUE ("project_id", "user_id"), CONSTRAINT "membership_role_known" CHECK ("role" IN ('viewer', 'producer', 'support', 'developer', 'admin')));
CREATE TABLE "identity_project" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(128) NOT NULL UNIQUE, "owner_id" varchar(128) NOT NULL, "region" varchar(64) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL);
CREATE TABLE "identity_serverkey" ("name" varchar(32) NOT NULL PRIMARY KEY, "value" varchar(500) NOT NULL);
CREATE TABLE "identity_stampkey" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "namespace" varchar(128) NOT NULL, "name" varchar(128) NOT NULL, "sealed_secret" varchar(255) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "created_by" varchar(150) NOT NULL, "used_at" datetime NULL, "revoked_at" datetime NULL);
CREATE TABLE "identity_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "first_name" varchar(150) NOT NULL, "last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL);
CREATE TABLE "identity_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" bigint NOT NULL REFERENCES "identity_user" ("id") DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "identity_user_user_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" bigint NOT NULL REFERENCES "identity_user" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "jobqueue_givenup" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "job_id" bigint NOT NULL UNIQUE REFERENCES "jobqueue_job" ("id") DEFERRABLE INITIALLY DEFERRED, "namespace_id" bigint NOT NULL REFERENCES "jobqueue_namespace" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" varchar(128) NOT NULL, "script" varchar(200) NOT NULL, "status_code" smallint unsigned NOT NULL CHECK ("status_code" >= 0), "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "replayed_at" datetime NULL);
CREATE TABLE "jobqueue_job" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "queue_id" bigint NOT NULL REFERENCES "jobqueue_queue" ("id") DEFERRABLE INITIALLY DEFERRED, "name" char(32) NOT NULL UNIQUE, "script_id" varchar(1024) NOT NULL, "args" text NOT NULL, "max_try_count" smallint unsigned NOT NULL CHECK ("max_try_count" >= 0), "try_count" smallint unsigned NOT NULL CHECK ("try_count" >= 0), "state" varchar(8) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "replay_of_id" bigint NULL REFERENCES "jobqueue_job" ("id") DEFERRABLE INITIALLY DEFERRED, "generation" smallint unsigned NULL CHECK ("generation" >= 0), CONSTRAINT "job_tries_within_limit" CHECK ("try_count" <= ("max_try_count")), CONSTRAINT "job_state_known" CHECK ("state" IN ('done', 'given_up', 'running', 'waiting')), CONSTRAINT "job_runs_by_a_try" CHECK (NOT ("state" = 'running' AND "try_count" = 0)));
CREATE TABLE "jobqueue_jobresult" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "job_id" bigint NOT NULL REFERENCES "jobqueue_job" ("id") DEFERRABLE INITIALLY DEFERRED, "try_number" smallint unsigned NOT NULL CHECK ("try_number" >= 0), "status_code" smallint unsigned NOT NULL CHECK ("status_code" >= 0), "result" text NOT NULL, "output" text NOT NULL, "tried_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "took_ms" integer unsigned NOT NULL CHECK ("took_ms" >= 0), "script_revision" bigint NULL, CONSTRAINT "one_result_per_attempt" UNIQUE ("job_id", "try_number"));
CREATE TABLE "jobqueue_namespace" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "description" varchar(1024) NOT NULL, "enable_auto_run" bool NOT NULL, "transaction_setting" text NULL CHECK ((JSON_VALID("transaction_setting") OR "transaction_setting" IS NULL)), "transaction_setting_v2" text NULL CHECK ((JSON_VALID("transaction_setting_v2") OR "transaction_setting_v2" IS NULL)), "push_notification" text NULL CHECK ((JSON_VALID("push_notification") OR "push_notification" IS NULL)), "run_notification" text NULL CHECK ((JSON_VALID("run_notification") OR "run_notification" IS NULL)), "log_setting" text NULL CHECK ((JSON_VALID("log_setting") OR "log_setting" IS NULL)), "status" varchar(16) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" bigint NOT NULL, "paused_at" datetime NULL, "paused_by" varchar(150) NULL, "slow_until" datetime NULL, CONSTRAINT "job_namespace_name_once" UNIQUE ("project_id", "name"));
CREATE TABLE "jobqueue_notification" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "job_id" bigint NULL REFERENCES "jobqueue_job" ("id") DEFERRABLE INITIALLY DEFERRED, "gateway_namespace_id" varchar(1024) NOT NULL, "user_id" varchar(128) NOT NULL, "subject" varchar(128) NOT NULL, "payload" varchar(1024) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "delivered_at" datetime NULL);
CREATE TABLE "jobqueue_queue" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "namespace_id" bigint NOT NULL REFERENCES "jobqueue_namespace" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" varchar(128) NOT NULL, "rev" bigint NOT NULL, "waiting" integer NOT NULL, "draining" bool NOT NULL, "started_rev" bigint NOT NULL, "lease_until" datetime NULL, "fence" bigint NOT NULL, "let_go_fence" bigint DEFAULT 0 NOT NULL, "leased_by" varchar(100) DEFAULT '' NOT NULL, "next_at" datetime NULL, "woken_at" datetime NULL, "head_at" datetime NULL, "head_tries" smallint unsigned NOT NULL CHECK ("head_tries" >= 0), CONSTRAINT "one_queue_per_user" UNIQUE ("namespace_id", "user_id"));
CREATE TABLE "jobqueue_script" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "namespace_id" bigint NOT NULL REFERENCES "jobqueue_scriptnamespace" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "description" varchar(1024) NOT NULL, "source" text NOT NULL, "disable_string_number_to_number" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" bigint NOT NULL, "keep_whole_floats" bool DEFAULT 0 NOT NULL, CONSTRAINT "script_name_once" UNIQUE ("namespace_id", "name"));
CREATE TABLE "jobqueue_scriptnamespace" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "description" varchar(1024) NOT NULL, "transaction_setting" text NULL CHECK ((JSON_VALID("transaction_setting") OR "transaction_setting" IS NULL)), "transaction_setting_v2" text NULL CHECK ((JSON_VALID("transaction_setting_v2") OR "transaction_setting_v2" IS NULL)), "log_setting" text NULL CHECK ((JSON_VALID("log_setting") OR "log_setting" IS NULL)), "status" varchar(16) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" bigint NOT NULL, CONSTRAINT "script_namespace_name_once" UNIQUE ("project_id", "name"));
CREATE TABLE "jobqueue_scriptversion" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "script_id" bigint NOT NULL REFERENCES "jobqueue_script" ("id") DEFERRABLE INITIALLY DEFERRED, "revision" bigint NOT NULL, "source" text NOT NULL, "by" varchar(150) NOT NULL, "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "script_revision_once" UNIQUE ("script_id", "revision"));
CREATE TABLE "jobqueue_tally" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "namespace_id" bigint NOT NULL, "at" datetime NOT NULL, "span_s" smallint unsigned NOT NULL CHECK ("span_s" >= 0), "script" varchar(200) NOT NULL, "shard" smallint unsigned NOT NULL CHECK ("shard" >= 0), "ok" integer unsigned NOT NULL CHECK ("ok" >= 0), "failed" integer unsigned NOT NULL CHECK ("failed" >= 0), "given_up" integer unsigned NOT NULL CHECK ("given_up" >= 0), "took_ms" bigint unsigned NOT NULL CHECK ("took_ms" >= 0), CONSTRAINT "one_tally_per_shard" UNIQUE ("namespace_id", "at", "span_s", "script", "shard"));
CREATE TABLE "jobqueue_userdatarun" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" varchar(128) NOT NULL, "kind" varchar(8) NOT NULL, "state" varchar(8) NOT NULL, "token" char(32) NOT NULL UNIQUE, "requested_by" varchar(150) NOT NULL, "file" varchar(200) NOT NULL, "size" bigint NOT NULL, "swapped" bool NOT NULL, "done" bigint NOT NULL, "total" bigint NOT NULL, "log" text NOT NULL, "error" text NOT NULL, "lease_until" datetime NULL, "fence" bigint NOT NULL, "attempts" smallint unsigned NOT NULL CHECK ("attempts" >= 0), "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "said" text DEFAULT '' NOT NULL, CONSTRAINT "user_data_state_known" CHECK ("state" IN ('done', 'failed', 'prepared', 'running', 'uploaded', 'waiting')), CONSTRAINT "user_data_kind_known" CHECK ("kind" IN ('clean', 'dump', 'import')));
CREATE TABLE "locks_holding" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "mutex_id" bigint NOT NULL, "transaction_id" varchar(256) NOT NULL, "revision" bigint NOT NULL, "acquired_ms" bigint NOT NULL, "ended_ms" bigint NOT NULL, "ended" varchar(8) NOT NULL, "ended_by" varchar(150) NOT NULL, CONSTRAINT "one_holding_per_revision" UNIQUE ("mutex_id", "revision"));
CREATE TABLE "locks_lockbatch" ("id" char(32) NOT NULL PRIMARY KEY, "parts" integer unsigned NOT NULL CHECK ("parts" >= 0), "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL);
CREATE TABLE "locks_locknamespace" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "description" varchar(1024) NOT NULL, "log_setting" text NULL CHECK ((JSON_VALID("log_setting") OR "log_setting" IS NULL)), "status" varchar(16) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" bigint NOT NULL, "floor" bigint NOT NULL, CONSTRAINT "lock_namespace_name_once" UNIQUE ("project_id", "name"));
CREATE TABLE "locks_locktally" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "namespace_id" bigint NOT NULL, "at" datetime NOT NULL, "span_s" smallint unsigned NOT NULL CHECK ("span_s" >= 0), "shard" smallint unsigned NOT NULL CHECK ("shard" >= 0), "acquired" bigint unsigned NOT NULL CHECK ("acquired" >= 0), "denied" bigint unsigned NOT NULL CHECK ("denied" >= 0), "expired" bigint unsigned NOT NULL CHECK ("expired" >= 0), "held" integer unsigned NOT NULL CHECK ("held" >= 0), CONSTRAINT "one_lock_tally_per_shard" UNIQUE ("namespace_id", "at", "span_s", "shard"));
CREATE TABLE "locks_mutex" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "namespace_id" bigint NOT NULL REFERENCES "locks_locknamespace" ("id") DEFERRABLE INITIALLY DEFERRED, "key" BLOB NOT NULL UNIQUE, "user_id" varchar(128) NOT NULL, "property_id" varchar(1024) NOT NULL, "transaction_id" varchar(256) NOT NULL, "counter" bigint NOT NULL, "revision" bigint NOT NULL, "acquired_ms" bigint NOT NULL, "until_ms" bigint NOT NULL, "ended_ms" bigint NOT NULL, "ended" varchar(8) NOT NULL, "ended_by" varchar(150) NOT NULL, "denied" bigint NOT NULL, "expired" bigint NOT NULL, CONSTRAINT "mutex_counter_never_negative" CHECK ("counter" >= 0), CONSTRAINT "mutex_held_by_somebody" CHECK (("counter" = 0 OR NOT ("transaction_id" = ''))));
CREATE TABLE "locks_watermark" ("project_id" bigint NOT NULL PRIMARY KEY REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "value" bigint NOT NULL);
CREATE TABLE "stages_approval" ("rollout_id" bigint NOT NULL PRIMARY KEY REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "digest" varchar(64) NOT NULL, "asked" bool NOT NULL, "override" bool NOT NULL, "redo" varchar(16) NOT NULL, "sentence" text NOT NULL);
CREATE TABLE "stages_approvalrule" ("stage_id" bigint NOT NULL PRIMARY KEY REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "needed" smallint unsigned NOT NULL CHECK ("needed" >= 0), "roles" text NOT NULL CHECK ((JSON_VALID("roles") OR "roles" IS NULL)), "covers_rollbacks" bool NOT NULL, CONSTRAINT "approval_rule_needs_1_to_10" CHECK (("needed" >= 1 AND "needed" <= 10)));
CREATE TABLE "stages_autopromotion" ("stage_id" bigint NOT NULL PRIMARY KEY REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "enabled" bool NOT NULL, "soak_s" integer unsigned NOT NULL CHECK ("soak_s" >= 0), "held_at" datetime NULL, "held_by" varchar(150) NOT NULL, "held_because" varchar(300) NOT NULL, "seen_id" bigint NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "sentence" varchar(1000) NOT NULL, CONSTRAINT "auto_promotion_soaks_30_days_at_most" CHECK ("soak_s" <= 2592000));
CREATE TABLE "stages_canaryreport" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "rollout_id" bigint NOT NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "number" smallint unsigned NOT NULL CHECK ("number" >= 0), "began_at" datetime NOT NULL, "ended_at" datetime NOT NULL, "passed" bool NOT NULL, "score" real NOT NULL, "pass_score" real NOT NULL, "step_s" integer unsigned NOT NULL CHECK ("step_s" >= 0), "metrics" text NOT NULL CHECK ((JSON_VALID("metrics") OR "metrics" IS NULL)), CONSTRAINT "canary_report_number_once" UNIQUE ("rollout_id", "number"));
CREATE TABLE "stages_freezewindow" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "stage_id" bigint NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "time_zone" varchar(64) NOT NULL, "weekly" bool NOT NULL, "starts_at" datetime NULL, "ends_at" datetime NULL, "from_day" smallint unsigned NULL CHECK ("from_day" >= 0), "from_time" time NULL, "to_day" smallint unsigned NULL CHECK ("to_day" >= 0), "to_time" time NULL, "holds_rollbacks" bool NOT NULL, "created_by" varchar(150) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" integer unsigned DEFAULT 0 NOT NULL CHECK ("revision" >= 0), "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "freeze_window_once_or_weekly" CHECK ((("ends_at" IS NULL AND "from_day" <= 6 AND "from_time" IS NOT NULL AND "starts_at" IS NULL AND "to_day" <= 6 AND "to_time" IS NOT NULL AND "weekly") OR ("ends_at" > ("starts_at") AND "from_day" IS NULL AND "to_day" IS NULL AND NOT "weekly"))));
CREATE TABLE "stages_halt" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "stage_id" bigint NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "reason" varchar(1024) NOT NULL, "holds_rollbacks" bool NOT NULL, "stopped_by" varchar(150) NOT NULL, "stopped_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "lifted_by" varchar(150) NOT NULL, "lifted_at" datetime NULL);
CREATE TABLE "stages_ledger" ("project_id" bigint NOT NULL PRIMARY KEY REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "revision" bigint NOT NULL, "rollouts_count" integer unsigned NOT NULL CHECK ("rollouts_count" >= 0), "sets_count" integer unsigned NOT NULL CHECK ("sets_count" >= 0));
CREATE TABLE "stages_leftover" ("step_id" bigint NOT NULL PRIMARY KEY REFERENCES "stages_step" ("id") DEFERRABLE INITIALLY DEFERRED, "asked_by" varchar(150) NOT NULL, "asked_at" datetime NULL, "attempt" integer unsigned NOT NULL CHECK ("attempt" >= 0), "lease_until" datetime NULL, "problem" text NOT NULL, "stage_id" bigint NOT NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "stages_microservice" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, CONSTRAINT "microservice_name_once" UNIQUE ("project_id", "name"));
CREATE TABLE "stages_output" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "rollout_id" bigint NOT NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "stage_id" bigint NOT NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "seq" integer unsigned NOT NULL CHECK ("seq" >= 0), "name" char(32) NOT NULL UNIQUE, "text" text NOT NULL, "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "microservice" varchar(128) NOT NULL, "step_position" integer unsigned NULL CHECK ("step_position" >= 0), "stream" varchar(8) NOT NULL, CONSTRAINT "output_seq_once" UNIQUE ("rollout_id", "seq"), CONSTRAINT "output_seq_from_1" CHECK ("seq" >= 1));
CREATE TABLE "stages_release" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "rollout_id" bigint NOT NULL UNIQUE REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "uid" char(32) NOT NULL UNIQUE, "namespace" varchar(128) NOT NULL, "name" varchar(64) NOT NULL, "service_name" varchar(128) NOT NULL, "spec" text NOT NULL CHECK ((JSON_VALID("spec") OR "spec" IS NULL)), "deployment" text NOT NULL CHECK ((JSON_VALID("deployment") OR "deployment" IS NULL)), "gray_deployments" text NOT NULL CHECK ((JSON_VALID("gray_deployments") OR "gray_deployments" IS NULL)), "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL);
CREATE TABLE "stages_rollout" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "stage_id" bigint NOT NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "number" integer unsigned NOT NULL CHECK ("number" >= 0), "protocol" varchar(16) NOT NULL, "kind" varchar(16) NOT NULL, "strategy" varchar(16) NOT NULL, "leg" varchar(16) NOT NULL, "cause" varchar(16) NOT NULL, "state" varchar(24) NOT NULL, "from_set_id" bigint NULL REFERENCES "stages_versionset" ("id") DEFERRABLE INITIALLY DEFERRED, "to_set_id" bigint NOT NULL REFERENCES "stages_versionset" ("id") DEFERRABLE INITIALLY DEFERRED, "source_name" varchar(128) NOT NULL, "request_key" varchar(64) NULL, "requested_by_kind" varchar(16) NOT NULL, "requested_by_id" varchar(64) NOT NULL, "requested_by" varchar(150) NOT NULL, "reason" text NOT NULL, "cancel_requested_by" varchar(150) NOT NULL, "cancel_requested_at" datetime NULL, "undoes_id" bigint NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "retry_of_id" bigint NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "started_at" datetime NULL, "ended_at" datetime NULL, "attempt" integer unsigned NOT NULL CHECK ("attempt" >= 0), "lease_until" datetime NULL, "leased_by" varchar(200) NOT NULL, "woken_at" datetime NULL, "revision" bigint NOT NULL, "last_seq" integer unsigned NOT NULL CHECK ("last_seq" >= 0), "steps_total" integer unsigned NOT NULL CHECK ("steps_total" >= 0), "steps_done" integer unsigned NOT NULL CHECK ("steps_done" >= 0), "changes_count" integer unsigned NOT NULL CHECK ("changes_count" >= 0), "consistent" bool NOT NULL, "error" text NOT NULL, "scenario_id" bigint NULL REFERENCES "stages_scenario" ("id") DEFERRABLE INITIALLY DEFERRED, "scenario_copy" text NOT NULL CHECK ((JSON_VALID("scenario_copy") OR "scenario_copy" IS NULL)), "sequence" bool NOT NULL, "rollback" bool NOT NULL, "waiting" bool NOT NULL, "colour" varchar(8) NOT NULL, "part" text NULL CHECK ((JSON_VALID("part") OR "part" IS NULL)), CONSTRAINT "rollout_number_once" UNIQUE ("project_id", "number"), CONSTRAINT "one_rollout_per_request" UNIQUE ("stage_id", "request_key"), CONSTRAINT "rollout_ended_exactly_when_final" CHECK ((("ended_at" IS NOT NULL AND "state" IN ('canary_rejected', 'canary_timeout', 'canceled', 'errored', 'failed', 'rejected', 'succeeded')) OR (NOT ("state" IN ('canary_rejected', 'canary_timeout', 'canceled', 'errored', 'failed', 'rejected', 'succeeded')) AND "ended_at" IS NULL))), CONSTRAINT "rollout_state_known" CHECK ("state" IN ('awaiting_approval', 'canary_analyzing', 'canary_hold', 'canary_rejected', 'canary_rejecting', 'canary_timeout', 'canceled', 'canceling', 'errored', 'failed', 'queued', 'rejected', 'rolling_back', 'running', 'succeeded')), CONSTRAINT "rollout_lease_only_while_live" CHECK (("state" IN ('canary_analyzing', 'canary_hold', 'canary_rejecting', 'canceling', 'queued', 'rolling_back', 'running') OR "lease_until" IS NULL)), CONSTRAINT "rollout_steps_done_fits" CHECK ("steps_done" <= ("steps_total")), CONSTRAINT "rollout_waits_only_in_the_queue" CHECK ((NOT "waiting" OR "state" IN ('queued', 'canceled'))));
CREATE TABLE "stages_rolloutcanary" ("rollout_id" bigint NOT NULL PRIMARY KEY REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "analysis" varchar(16) NOT NULL, "weight" smallint unsigned NOT NULL CHECK ("weight" >= 0), "weight_index" smallint unsigned NOT NULL CHECK ("weight_index" >= 0), "weight_until" datetime NULL, "hold_until" datetime NULL, "analysis_began_at" datetime NULL, "wake_at" datetime NULL, "look" text NULL CHECK ((JSON_VALID("look") OR "look" IS NULL)), CONSTRAINT "rollout_canary_weight_0_100" CHECK ("weight" <= 100), CONSTRAINT "rollout_canary_analysis_known" CHECK ("analysis" IN ('auto', 'manual', 'none')));
CREATE TABLE "stages_rollouttarget" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "rollout_id" bigint NOT NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "position" smallint unsigned NOT NULL CHECK ("position" >= 0), "target_id" bigint NULL REFERENCES "stages_target" ("id") DEFERRABLE INITIALLY DEFERRED, "number" bigint NOT NULL, "name" varchar(128) NOT NULL, "kind" varchar(16) NOT NULL, "batch" smallint unsigned NOT NULL CHECK ("batch" >= 0), "undone" bool NOT NULL, CONSTRAINT "rollout_target_position_once" UNIQUE ("rollout_id", "position"));
CREATE TABLE "stages_scenario" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "stage_id" bigint NOT NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(100) NOT NULL, "description" varchar(500) NOT NULL, "strategy" varchar(16) NOT NULL, "batch_size" smallint unsigned NOT NULL CHECK ("batch_size" >= 0), "sequence" bool NOT NULL, "rollback" bool NOT NULL, "commands" text NOT NULL CHECK ((JSON_VALID("commands") OR "commands" IS NULL)), "canary" text NOT NULL CHECK ((JSON_VALID("canary") OR "canary" IS NULL)), "config" text NOT NULL CHECK ((JSON_VALID("config") OR "config" IS NULL)), "approvals_required" smallint unsigned NOT NULL CHECK ("approvals_required" >= 0), "approvers" text NOT NULL CHECK ((JSON_VALID("approvers") OR "approvers" IS NULL)), "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" bigint NOT NULL, CONSTRAINT "scenario_name_once" UNIQUE ("stage_id", "name"), CONSTRAINT "scenario_batch_has_one" CHECK ("batch_size" >= 1), CONSTRAINT "scenario_strategy_known" CHECK ("strategy" IN ('blueGreen', 'canary', 'normal', 'rolling')));
CREATE TABLE "stages_stage" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "name" varchar(128) NOT NULL, "source_id" bigint NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "sort_number" smallint unsigned NOT NULL CHECK ("sort_number" >= 0), "current_set_id" bigint NULL REFERENCES "stages_versionset" ("id") DEFERRABLE INITIALLY DEFERRED, "type" varchar(20) NOT NULL, "config" text NOT NULL CHECK ((JSON_VALID("config") OR "config" IS NULL)), "colour" varchar(8) NOT NULL, "idle_set_id" bigint NULL REFERENCES "stages_versionset" ("id") DEFERRABLE INITIALLY DEFERRED, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "revision" bigint NOT NULL, "deleted_at" datetime NULL, "scenario_id" bigint NULL REFERENCES "stages_scenario" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "stage_sort_number_0_100" CHECK (("sort_number" >= 0 AND "sort_number" <= 100)), CONSTRAINT "stage_not_its_own_source" CHECK (NOT ("source_id" = ("id") AND "source_id" IS NOT NULL)));
CREATE TABLE "stages_step" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "rollout_id" bigint NOT NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "position" integer unsigned NOT NULL CHECK ("position" >= 0), "microservice" varchar(128) NOT NULL, "old_version" varchar(32) NOT NULL, "new_version" varchar(32) NOT NULL, "target_name" varchar(128) NOT NULL, "phase" varchar(8) NOT NULL, "kind" varchar(16) NOT NULL, "config" text NOT NULL CHECK ((JSON_VALID("config") OR "config" IS NULL)), "memo" text NOT NULL CHECK ((JSON_VALID("memo") OR "memo" IS NULL)), "state" varchar(16) NOT NULL, "attempt" integer unsigned NOT NULL CHECK ("attempt" >= 0), "summary" text NOT NULL, "started_at" datetime NULL, "ended_at" datetime NULL, "leg" varchar(8) NOT NULL, "wave" smallint unsigned NOT NULL CHECK ("wave" >= 0), "lane" smallint unsigned NOT NULL CHECK ("lane" >= 0), "origin" varchar(8) NOT NULL, "undoes_id" bigint NULL REFERENCES "stages_step" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "step_position_once" UNIQUE ("rollout_id", "position"), CONSTRAINT "step_state_known" CHECK ("state" IN ('canceled', 'failed', 'no_progress', 'pending', 'running', 'succeeded')));
CREATE TABLE "stages_target" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "stage_id" bigint NOT NULL REFERENCES "stages_stage" ("id") DEFERRABLE INITIALLY DEFERRED, "uid" char(32) NOT NULL UNIQUE, "name" varchar(128) NOT NULL, "kind" varchar(16) NOT NULL, "config" text NOT NULL CHECK ((JSON_VALID("config") OR "config" IS NULL)), "position" smallint unsigned NOT NULL CHECK ("position" >= 0), "rotation" integer unsigned NOT NULL CHECK ("rotation" >= 0), CONSTRAINT "target_name_once" UNIQUE ("stage_id", "name"));
CREATE TABLE "stages_version" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "microservice_id" bigint NOT NULL REFERENCES "stages_microservice" ("id") DEFERRABLE INITIALLY DEFERRED, "version" varchar(32) NOT NULL, "note" varchar(1024) NOT NULL, "registered_by" varchar(150) NOT NULL, "registered_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "withdrawn_at" datetime NULL, CONSTRAINT "version_once" UNIQUE ("microservice_id", "version"));
CREATE TABLE "stages_versionset" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "number" integer unsigned NOT NULL CHECK ("number" >= 0), "digest" varchar(64) NOT NULL, "versions" text NOT NULL CHECK ((JSON_VALID("versions") OR "versions" IS NULL)), "size" integer unsigned NOT NULL CHECK ("size" >= 0), "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "version_set_number_once" UNIQUE ("project_id", "number"), CONSTRAINT "version_set_digest_once" UNIQUE ("project_id", "digest"));
CREATE TABLE "stages_vote" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "rollout_id" bigint NOT NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "kind" varchar(16) NOT NULL, "voter_id" varchar(64) NOT NULL, "name" varchar(150) NOT NULL, "identity" varchar(200) NOT NULL, "reason" text NOT NULL, "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "one_vote_per_voter" UNIQUE ("rollout_id", "identity"));
CREATE TABLE "stages_webhookattempt" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "delivery_id" bigint NOT NULL REFERENCES "stages_webhookdelivery" ("id") DEFERRABLE INITIALLY DEFERRED, "number" integer unsigned NOT NULL CHECK ("number" >= 0), "at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "status" smallint unsigned NULL CHECK ("status" >= 0), "took_ms" integer unsigned NOT NULL CHECK ("took_ms" >= 0), "summary" varchar(500) NOT NULL, CONSTRAINT "webhook_attempt_once" UNIQUE ("delivery_id", "number"));
CREATE TABLE "stages_webhookdelivery" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "endpoint_id" bigint NOT NULL REFERENCES "stages_webhookendpoint" ("id") DEFERRABLE INITIALLY DEFERRED, "rollout_id" bigint NULL REFERENCES "stages_rollout" ("id") DEFERRABLE INITIALLY DEFERRED, "event_id" char(32) NOT NULL, "event" varchar(40) NOT NULL, "body" text NOT NULL, "state" varchar(16) NOT NULL, "attempt" integer unsigned NOT NULL CHECK ("attempt" >= 0), "due_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "ended_at" datetime NULL, "replay_of_id" bigint NULL REFERENCES "stages_webhookdelivery" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "webhook_delivery_state_known" CHECK ("state" IN ('delivered', 'given_up', 'pending')), CONSTRAINT "webhook_ended_exactly_when_final" CHECK ((("ended_at" IS NULL AND "state" = 'pending') OR (NOT ("state" = 'pending') AND "ended_at" IS NOT NULL))));
CREATE TABLE "stages_webhookendpoint" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "uid" char(32) NOT NULL UNIQUE, "name" varchar(128) NOT NULL, "url" varchar(2000) NOT NULL, "active" bool NOT NULL, "rotation" integer unsigned NOT NULL CHECK ("rotation" >= 0), "claims" integer unsigned NOT NULL CHECK ("claims" >= 0), "busy_until" datetime NULL, "created_by" varchar(150) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "old_key_until" datetime NULL, CONSTRAINT "webhook_name_once" UNIQUE ("project_id", "name"));
CREATE TABLE "wire_duplicaterecord" ("key" varchar(64) NOT NULL PRIMARY KEY, "project_id" bigint NOT NULL REFERENCES "identity_project" ("id") DEFERRABLE INITIALLY DEFERRED, "method" varchar(128) NOT NULL, "user_id" varchar(128) NOT NULL, "request_digest" varchar(64) NOT NULL, "answer" text NULL, "lease_until" datetime NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL);
CREATE INDEX "activity_by_action" ON "audit_activity" ("project_id", "action", "id" DESC);
CREATE INDEX "activity_by_actor" ON "audit_activity" ("project_id", "actor_name", "id" DESC);
CREATE INDEX "activity_by_object" ON "audit_activity" ("project_id", "object_type", "object_id", "id" DESC);
CREATE INDEX "activity_by_player" ON "audit_activity" ("project_id", "player", "id" DESC) WHERE NOT ("player" = '');
CREATE INDEX "activity_newest" ON "audit_activity" ("project_id", "id" DESC);
CREATE INDEX "audit_activity_project_id_40dd7ef2" ON "audit_activity" ("project_id");
CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id");
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id");
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id");
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_01ab375a_uniq" ON "auth_permission" ("content_type_id", "codename");
CREATE INDEX "django_admin_log_content_type_id_c4bce8eb" ON "django_admin_log" ("content_type_id");
CREATE INDEX "django_admin_log_user_id_c564eba6" ON "django_admin_log" ("user_id");
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
CREATE INDEX "engine_engineworker_cluster_id_35f3c055" ON "engine_engineworker" ("cluster_id");
CREATE INDEX "given_up_newest" ON "jobqueue_givenup" ("namespace_id", "id" DESC);
CREATE INDEX "given_up_script" ON "jobqueue_givenup" ("namespace_id", "script", "id" DESC);
CREATE INDEX "given_up_status" ON "jobqueue_givenup" ("namespace_id", "status_code", "id" DESC);
CREATE INDEX "given_up_user" ON "jobqueue_givenup" ("namespace_id", "user_id", "id" DESC);
CREATE INDEX "given_up_when" ON "jobqueue_givenup" ("namespace_id", "at");
CREATE INDEX "identity_accesstoken_expires_at_c893b57f" ON "identity_accesstoken" ("expires_at");
CREATE INDEX "identity_accesstoken_project_id_c365eced" ON "identity_accesstoken" ("project_id");
CREATE INDEX "identity_credential_project_id_8b4bba2d" ON "identity_credential" ("project_id");
CREATE INDEX "identity_guesses_ends_ms_b7a71859" ON "identity_guesses" ("ends_ms");
CREATE INDEX "identity_membership_project_id_db95f43e" ON "identity_membership" ("project_id");
CREATE INDEX "identity_membership_user_id_91967c9a" ON "identity_membership" ("user_id");
CREATE INDEX "identity_stampkey_project_id_763bac5e" ON "identity_stampkey" ("project_id");
CREATE INDEX "identity_user_groups_group_id_cdb422da" ON "identity_user_groups" ("group_id");
CREATE INDEX "identity_user_groups_user_id_f69e0c80" ON "identity_user_groups" ("user_id");
CREATE UNIQUE INDEX "identity_user_groups_user_id_group_id_ece29599_uniq" ON "identity_user_groups" ("user_id", "group_id");
CREATE INDEX "identity_user_user_permissions_permission_id_c8f2cf2f" ON "identity_user_user_permissions" ("permission_id");
CREATE INDEX "identity_user_user_permissions_user_id_a626cb1f" ON "identity_user_user_permissions" ("user_id");
CREATE UNIQUE INDEX "identity_user_user_permissions_user_id_permission_id_1becc26c_uniq" ON "identity_user_user_permissions" ("user_id", "permission_id");
CREATE INDEX "job_of_queue" ON "jobqueue_job" ("queue_id", "state", "id");
CREATE INDEX "job_replays" ON "jobqueue_job" ("replay_of_id") WHERE "replay_of_id" IS NOT NULL;
CREATE INDEX "jobqueue_namespace_project_id_aa487219" ON "jobqueue_namespace" ("project_id");
CREATE INDEX "jobqueue_notification_job_id_aebd38f8" ON "jobqueue_notification" ("job_id");
CREATE INDEX "jobqueue_notification_project_id_92d98726" ON "jobqueue_notification" ("project_id");
CREATE INDEX "jobqueue_script_namespace_id_f8c1ee3c" ON "jobqueue_script" ("namespace_id");
CREATE INDEX "jobqueue_scriptnamespace_project_id_3da625bd" ON "jobqueue_scriptnamespace" ("project_id");
CREATE INDEX "jobqueue_scriptversion_script_id_821e7410" ON "jobqueue_scriptversion" ("script_id");
CREATE INDEX "jobqueue_userdatarun_project_id_51da003f" ON "jobqueue_userdatarun" ("project_id");
CREATE UNIQUE INDEX "lock_namespace_of_server_once" ON "locks_locknamespace" ("name") WHERE "project_id" IS NULL;
CREATE INDEX "lock_tally_by_age" ON "locks_locktally" ("span_s", "at");
CREATE INDEX "locks_locknamespace_project_id_a8010a13" ON "locks_locknamespace" ("project_id");
CREATE INDEX "mutex_by_property" ON "locks_mutex" ("namespace_id", (SUBSTR("property_id", 1, 120)), "id");
CREATE INDEX "mutex_held" ON "locks_mutex" ("namespace_id", "acquired_ms", "id", "until_ms") WHERE "counter" > 0;
CREATE INDEX "mutex_of_player" ON "locks_mutex" ("namespace_id", "user_id", "id");
CREATE INDEX "note_about" ON "audit_note" ("project_id", "about", "about_id", "id");
CREATE INDEX "notification_to_send" ON "jobqueue_notification" ("id") WHERE "delivered_at" IS NULL;
CREATE UNIQUE INDEX "one_live_credential_per_name" ON "identity_credential" ("project_id", "name") WHERE "revoked_at" IS NULL;
CREATE UNIQUE INDEX "one_live_rollout_per_stage" ON "stages_rollout" ("stage_id") WHERE ("state" IN ('canary_analyzing', 'canary_hold', 'canary_rejecting', 'canceling', 'queued', 'rolling_back', 'running') AND NOT "waiting");
CREATE UNIQUE INDEX "one_live_stamp_key_per_name" ON "identity_stampkey" ("project_id", "namespace", "name") WHERE "revoked_at" IS NULL;
CREATE UNIQUE INDEX "one_live_user_data_run_per_player" ON "jobqueue_userdatarun" ("project_id", "user_id") WHERE "state" IN ('running', 'waiting');
CREATE UNIQUE INDEX "one_open_halt_per_project" ON "stages_halt" ("project_id") WHERE ("lifted_at" IS NULL AND "stage_id" IS NULL);
CREATE UNIQUE INDEX "one_open_halt_per_stage" ON "stages_halt" ("stage_id") WHERE ("lifted_at" IS NULL AND "stage_id" IS NOT NULL);
CREATE UNIQUE INDEX "one_running_job_per_queue" ON "jobqueue_job" ("state", "queue_id") WHERE "state" = 'running';
CREATE INDEX "output_by_age" ON "stages_output" ("at");
CREATE INDEX "output_of_stage" ON "stages_output" ("stage_id", "id");
CREATE INDEX "queue_by_user" ON "jobqueue_queue" ("user_id");
CREATE INDEX "queue_draining" ON "jobqueue_queue" ("next_at", "woken_at") WHERE "draining";
CREATE INDEX "queue_ready" ON "jobqueue_queue" ("namespace_id", "woken_at") WHERE ("draining" AND "next_at" IS NULL);
CREATE INDEX "queue_retrying" ON "jobqueue_queue" ("namespace_id", "head_at", "id") WHERE "head_tries" > 0;
CREATE INDEX "queue_with_work" ON "jobqueue_queue" ("namespace_id", "head_at", "id", "waiting") WHERE "waiting" > 0;
CREATE INDEX "release_by_name" ON "stages_release" ("namespace", "name");
CREATE INDEX "rollout_by_state" ON "stages_rollout" ("project_id", "state", "id" DESC);
CREATE INDEX "rollout_canary_wakes" ON "stages_rolloutcanary" ("wake_at") WHERE "wake_at" IS NOT NULL;
CREATE INDEX "rollout_live_lease" ON "stages_rollout" ("lease_until") WHERE "state" IN ('canary_analyzing', 'canary_hold', 'canary_rejecting', 'canceling', 'queued', 'rolling_back', 'running');
CREATE INDEX "rollout_newest" ON "stages_rollout" ("project_id", "id" DESC);
CREATE INDEX "rollout_of_stage" ON "stages_rollout" ("stage_id", "id" DESC);
CREATE INDEX "rollout_ran_on_stage" ON "stages_rollout" ("stage_id", "id" DESC) WHERE "started_at" IS NOT NULL;
CREATE INDEX "rollout_waits" ON "stages_rollout" ("stage_id", "id") WHERE "waiting";
CREATE UNIQUE INDEX "stage_name_once" ON "stages_stage" ("project_id", "name") WHERE "deleted_at" IS NULL;
CREATE INDEX "stages_autopromotion_seen_id_19df404f" ON "stages_autopromotion" ("seen_id");
CREATE INDEX "stages_canaryreport_rollout_id_4b0c0387" ON "stages_canaryreport" ("rollout_id");
CREATE INDEX "stages_freezewindow_project_id_fb080113" ON "stages_freezewindow" ("project_id");
CREATE INDEX "stages_freezewindow_stage_id_f97e7ea3" ON "stages_freezewindow" ("stage_id");
CREATE INDEX "stages_halt_project_id_abc19dbe" ON "stages_halt" ("project_id");
CREATE INDEX "stages_halt_stage_id_e9eb0a7f" ON "stages_halt" ("stage_id");
CREATE INDEX "stages_leftover_stage_id_3f25c8c4" ON "stages_leftover" ("stage_id");
CREATE INDEX "stages_microservice_project_id_4a6fb0c6" ON "stages_microservice" ("project_id");
CREATE INDEX "stages_output_rollout_id_af266f8c" ON "stages_output" ("rollout_id");
CREATE INDEX "stages_output_stage_id_ea2d7c1c" ON "stages_output" ("stage_id");
CREATE INDEX "stages_rollout_from_set_id_472d1cb1" ON "stages_rollout" ("from_set_id");
CREATE INDEX "stages_rollout_project_id_aff91855" ON "stages_rollout" ("project_id");
CREATE INDEX "stages_rollout_retry_of_id_a0ba3ea6" ON "stages_rollout" ("retry_of_id");
CREATE INDEX "stages_rollout_scenario_id_2452b142" ON "stages_rollout" ("scenario_id");
CREATE INDEX "stages_rollout_stage_id_bb0d1eb9" ON "stages_rollout" ("stage_id");
CREATE INDEX "stages_rollout_to_set_id_bf53600a" ON "stages_rollout" ("to_set_id");
CREATE INDEX "stages_rollout_undoes_id_90e7dcf0" ON "stages_rollout" ("undoes_id");
CREATE INDEX "stages_rollouttarget_rollout_id_e6075306" ON "stages_rollouttarget" ("rollout_id");
CREATE INDEX "stages_rollouttarget_target_id_43831294" ON "stages_rollouttarget" ("target_id");
CREATE INDEX "stages_scenario_stage_id_1b09d926" ON "stages_scenario" ("stage_id");
CREATE INDEX "stages_stage_current_set_id_158d5c37" ON "stages_stage" ("current_set_id");
CREATE INDEX "stages_stage_idle_set_id_6b6c4471" ON "stages_stage" ("idle_set_id");
CREATE INDEX "stages_stage_project_id_1f792141" ON "stages_stage" ("project_id");
CREATE INDEX "stages_stage_scenario_id_9f1706c8" ON "stages_stage" ("scenario_id");
CREATE INDEX "stages_stage_source_id_381fe626" ON "stages_stage" ("source_id");
CREATE INDEX "stages_step_rollout_id_98d188bb" ON "stages_step" ("rollout_id");
CREATE INDEX "stages_step_undoes_id_a9e877dd" ON "stages_step" ("undoes_id");
CREATE INDEX "stages_target_stage_id_9dce4f61" ON "stages_target" ("stage_id");
CREATE INDEX "stages_version_microservice_id_0d4abaf2" ON "stages_version" ("microservice_id");
CREATE INDEX "stages_versionset_project_id_fd383596" ON "stages_versionset" ("project_id");
CREATE INDEX "stages_vote_rollout_id_bc2068e0" ON "stages_vote" ("rollout_id");
CREATE INDEX "stages_webhookattempt_delivery_id_fa93d899" ON "stages_webhookattempt" ("delivery_id");
CREATE INDEX "stages_webhookdelivery_endpoint_id_a06f912a" ON "stages_webhookdelivery" ("endpoint_id");
CREATE INDEX "stages_webhookdelivery_replay_of_id_77be551a" ON "stages_webhookdelivery" ("replay_of_id");
CREATE INDEX "stages_webhookdelivery_rollout_id_89748d4c" ON "stages_webhookdelivery" ("rollout_id");
CREATE INDEX "stages_webhookendpoint_project_id_1d74dc5b" ON "stages_webhookendpoint" ("project_id");
CREATE INDEX "step_of_microservice" ON "stages_step" ("microservice", "rollout_id");
CREATE INDEX "success_index" ON "django_q_task" ("group", "name", "func") WHERE "success";
CREATE INDEX "tally_by_age" ON "jobqueue_tally" ("span_s", "at");
CREATE INDEX "user_data_live" ON "jobqueue_userdatarun" ("lease_until") WHERE "state" IN ('running', 'waiting');
CREATE INDEX "user_data_of_player" ON "jobqueue_userdatarun" ("project_id", "user_id", "kind", "id" DESC);
CREATE INDEX "version_latest" ON "stages_version" ("microservice_id", "id" DESC) WHERE "withdrawn_at" IS NULL;
CREATE INDEX "webhook_delivery_by_age" ON "stages_webhookdelivery" ("created_at");
CREATE INDEX "webhook_delivery_due" ON "stages_webhookdelivery" ("endpoint_id", "due_at") WHERE "state" = 'pending';
CREATE INDEX "webhook_delivery_newest" ON "stages_webhookdelivery" ("endpoint_id", "id" DESC);
CREATE INDEX "wire_duplicaterecord_created_at_03bf1d24" ON "wire_duplicaterecord" ("created_at");
CREATE INDEX "wire_duplicaterecord_project_id_2dd4a564" ON "wire_duplicaterecord" ("project_id");
CREATE TRIGGER locks_mutex_history AFTER UPDATE OF counter, revision ON locks_mutex WHEN OLD.counter > 0 AND (NEW.counter = 0 OR NEW.revision <> OLD.revision)
BEGIN
    
    INSERT INTO locks_holding (mutex_id, transaction_id, revision, acquired_ms, ended_ms, ended, ended_by) VALUES (
        OLD.id, OLD.transaction_id, OLD.revision, OLD.acquired_ms,
        CASE WHEN NEW.counter = 0 THEN NEW.ended_ms ELSE OLD.until_ms END,
        CASE WHEN NEW.counter = 0 THEN NEW.ended ELSE 'expired' END, NEW.ended_by);

END;
CREATE TRIGGER stages_stage_no_source_circle
BEFORE UPDATE OF source_id ON stages_stage WHEN NEW.source_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'stage_no_source_circle') WHERE NEW.id IN (
        WITH RECURSIVE up(id) AS (
            SELECT NEW.source_id
            UNION
            SELECT s.source_id FROM stages_stage s JOIN up ON s.id = up.id WHERE s.source_id IS NOT NULL
        )
        SELECT id FROM up
    );
END;
INSERT INTO django_migrations (app, name, applied) VALUES
('admin', '0001_initial', CURRENT_TIMESTAMP),
('admin', '0002_logentry_remove_auto_add', CURRENT_TIMESTAMP),
('admin', '0003_logentry_add_action_flag_choices', CURRENT_TIMESTAMP),
('audit', '0001_initial_schema', CURRENT_TIMESTAMP),
('audit', '0002_notes', CURRENT_TIMESTAMP),
('auth', '0001_initial', CURRENT_TIMESTAMP),
('auth', '0002_alter_permission_name_max_length', CURRENT_TIMESTAMP),
('auth', '0003_alter_user_email_max_length', CURRENT_TIMESTAMP),
('auth', '0004_alter_user_username_opts', CURRENT_TIMESTAMP),
('auth', '0005_alter_user_last_login_null', CURRENT_TIMESTAMP),
('auth', '0006_require_contenttypes_0002', CURRENT_TIMESTAMP),
('auth', '0007_alter_validators_add_error_messages', CURRENT_TIMESTAMP),
('auth', '0008_alter_user_username_max_length', CURRENT_TIMESTAMP),
('auth', '0009_alter_user_last_name_max_length', CURRENT_TIMESTAMP),
('auth', '0010_alter_group_name_max_length', CURRENT_TIMESTAMP),
('auth', '0011_update_proxy_permissions', CURRENT_TIMESTAMP),
('auth', '0012_alter_user_first_name_max_length', CURRENT_TIMESTAMP),
('contenttypes', '0001_initial', CURRENT_TIMESTAMP),
('contenttypes', '0002_remove_content_type_name', CURRENT_TIMESTAMP),
('django_q', '0001_initial', CURRENT_TIMESTAMP),
('django_q', '0002_auto_20150630_1624', CURRENT_TIMESTAMP),
('django_q', '0003_auto_20150708_1326', CURRENT_TIMESTAMP),
('django_q', '0004_auto_20150710_1043', CURRENT_TIMESTAMP),
('django_q', '0005_auto_20150718_1506', CURRENT_TIMESTAMP),
('django_q', '0006_auto_20150805_1817', CURRENT_TIMESTAMP),
('django_q', '0007_ormq', CURRENT_TIMESTAMP),
('django_q', '0008_auto_20160224_1026', CURRENT_TIMESTAMP),
('django_q', '0009_auto_20171009_0915', CURRENT_TIMESTAMP),
('django_q', '0010_auto_20200610_0856', CURRENT_TIMESTAMP),
('django_q', '0011_auto_20200628_1055', CURRENT_TIMESTAMP),
('django_q', '0012_auto_20200702_1608', CURRENT_TIMESTAMP),
('django_q', '0013_task_attempt_count', CURRENT_TIMESTAMP),
('django_q', '0014_schedule_cluster', CURRENT_TIMESTAMP),
('django_q', '0015_alter_schedule_schedule_type', CURRENT_TIMESTAMP),
('django_q', '0016_schedule_intended_date_kwarg', CURRENT_TIMESTAMP),
('django_q', '0017_task_cluster_alter', CURRENT_TIMESTAMP),
('django_q', '0018_task_success_index', CURRENT_TIMESTAMP),
('django_q', '0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more', CURRENT_TIMESTAMP),
('engine', '0001_initial_schema', CURRENT_TIMESTAMP),
('identity', '0001_initial_schema', CURRENT_TIMESTAMP),
('identity', '0002_counted_guesses_and_server_keys', CURRENT_TIMESTAMP),
('jobqueue', '0001_initial_schema', CURRENT_TIMESTAMP),
('jobqueue', '0002_fair_shares', CURRENT_TIMESTAMP),
('jobqueue', '0003_user_data_said', CURRENT_TIMESTAMP),
('jobqueue', '0004_script_revision', CURRENT_TIMESTAMP),
('jobqueue', '0005_script_whole_floats', CURRENT_TIMESTAMP),
('locks', '0001_initial_schema', CURRENT_TIMESTAMP),
('sessions', '0001_initial', CURRENT_TIMESTAMP),
('stages', '0001_initial_schema', CURRENT_TIMESTAMP),
('stages', '0002_webhook_old_key', CURRENT_TIMESTAMP),
('stages', '0003_canary_look', CURRENT_TIMESTAMP),
('stages', '0004_leftovers', CURRENT_TIMESTAMP),
('stages', '0005_windows_updated_at_revision', CURRENT_TIMESTAMP),
('stages', '0006_rollout_part', CURRENT_TIMESTAMP),
('wire', '0001_initial_schema', CURRENT_TIMESTAMP);
INSERT INTO django_content_type (id, app_label, model) VALUES
(1, 'identity', 'user'),
(2, 'identity', 'project'),
(3, 'identity', 'membership'),
(4, 'identity', 'credential'),
(5, 'identity', 'stampkey'),
(6, 'identity', 'accesstoken'),
(7, 'identity', 'guesses'),
(8, 'identity', 'serverkey'),
(9, 'audit', 'activity'),
(10, 'audit', 'note'),
(11, 'engine', 'enginecluster'),
(12, 'engine', 'engineworker'),
(13, 'engine', 'enginechore'),
(14, 'wire', 'duplicaterecord'),
(15, 'stages', 'ledger'),
(16, 'stages', 'microservice'),
(17, 'stages', 'version'),
(18, 'stages', 'versionset'),
(19, 'stages', 'webhookendpoint'),
(20, 'stages', 'stage'),
(21, 'stages', 'scenario'),
(22, 'stages', 'target'),
(23, 'stages', 'rollout'),
(24, 'stages', 'rollouttarget'),
(25, 'stages', 'rolloutcanary'),
(26, 'stages', 'canaryreport'),
(27, 'stages', 'release'),
(28, 'stages', 'step'),
(29, 'stages', 'output'),
(30, 'stages', 'stop'),
(31, 'stages', 'freezewindow'),
(32, 'stages', 'approvalrule'),
(33, 'stages', 'approval'),
(34, 'stages', 'vote'),
(35, 'stages', 'autopromotion'),
(36, 'stages', 'webhookdelivery'),
(37, 'stages', 'webhookattempt'),
(38, 'stages', 'leftover'),
(39, 'locks', 'locknamespace'),
(40, 'locks', 'watermark'),
(41, 'locks', 'mutex'),
(42, 'locks', 'holding'),
(43, 'locks', 'locktally'),
(44, 'locks', 'lockbatch'),
(45, 'jobqueue', 'namespace'),
(46, 'jobqueue', 'queue'),
(47, 'jobqueue', 'job'),
(48, 'jobqueue', 'jobresult'),
(49, 'jobqueue', 'givenup'),
(50, 'jobqueue', 'tally'),
(51, 'jobqueue', 'notification'),
(52, 'jobqueue', 'scriptnamespace'),
(53, 'jobqueue', 'script'),
(54, 'jobqueue', 'scriptversion'),
(55, 'jobqueue', 'userdatarun'),
(56, 'django_q', 'schedule'),
(57, 'django_q', 'task'),
(58, 'django_q', 'failure'),
(59, 'django_q', 'success'),
(60, 'django_q', 'ormq'),
(61, 'admin', 'logentry'),
(62, 'auth', 'permission'),
(63, 'auth', 'group'),
(64, 'contenttypes', 'contenttype'),
(65, 'sessions', 'session');
INSERT INTO auth_permission (id, name, content_type_id, codename) VALUES
(1, 'Can add user', 1, 'add_user'),
(2, 'Can change user', 1, 'change_user'),
(3, 'Can delete user', 1, 'delete_user'),
(4, 'Can view user', 1, 'view_user'),
(5, 'Can add project', 2, 'add_project'),
(6, 'Can change project', 2, 'change_project'),
(7, 'Can delete project', 2, 'delete_project'),
(8, 'Can view project', 2, 'view_project'),
(9, 'Can add membership', 3, 'add_membership'),
(10, 'Can change membership', 3, 'change_membership'),
(11, 'Can delete membership', 3, 'delete_membership'),
(12, 'Can view membership', 3, 'view_membership'),
(13, 'Can add credential', 4, 'add_credential'),
(14, 'Can change credential', 4, 'change_credential'),
(15, 'Can delete credential', 4, 'delete_credential'),
(16, 'Can view credential', 4, 'view_credential'),
(17, 'Can add stamp key', 5, 'add_stampkey'),
(18, 'Can change stamp key', 5, 'change_stampkey'),
(19, 'Can delete stamp key', 5, 'delete_stampkey'),
(20, 'Can view stamp key', 5, 'view_stampkey'),
(21, 'Can add access token', 6, 'add_accesstoken'),
(22, 'Can change access token', 6, 'change_accesstoken'),
(23, 'Can delete access token', 6, 'delete_accesstoken'),
(24, 'Can view access token', 6, 'view_accesstoken'),
(25, 'Can add guesses', 7, 'add_guesses'),
(26, 'Can change guesses', 7, 'change_guesses'),
(27, 'Can delete guesses', 7, 'delete_guesses'),
(28, 'Can view guesses', 7, 'view_guesses'),
(29, 'Can add server key', 8, 'add_serverkey'),
(30, 'Can change server key', 8, 'change_serverkey'),
(31, 'Can delete server key', 8, 'delete_serverkey'),
(32, 'Can view server key', 8, 'view_serverkey'),
(33, 'Can add activity', 9, 'add_activity'),
(34, 'Can change activity', 9, 'change_activity'),
(35, 'Can delete activity', 9, 'delete_activity'),
(36, 'Can view activity', 9, 'view_activity'),
(37, 'Can add note', 10, 'add_note'),
(38, 'Can change note', 10, 'change_note'),
(39, 'Can delete note', 10, 'delete_note'),
(40, 'Can view note', 10, 'view_note'),
(41, 'Can add engine cluster', 11, 'add_enginecluster'),
(42, 'Can change engine cluster', 11, 'change_enginecluster'),
(43, 'Can delete engine cluster', 11, 'delete_enginecluster'),
(44, 'Can view engine cluster', 11, 'view_enginecluster'),
(45, 'Can add engine worker', 12, 'add_engineworker'),
(46, 'Can change engine worker', 12, 'change_engineworker'),
(47, 'Can delete engine worker', 12, 'delete_engineworker'),
(48, 'Can view engine worker', 12, 'view_engineworker'),
(49, 'Can add engine chore', 13, 'add_enginechore'),
(50, 'Can change engine chore', 13, 'change_enginechore'),
(51, 'Can delete engine chore', 13, 'delete_enginechore'),
(52, 'Can view engine chore', 13, 'view_enginechore'),
(53, 'Can add duplicate record', 14, 'add_duplicaterecord'),
(54, 'Can change duplicate record', 14, 'change_duplicaterecord'),
(55, 'Can delete duplicate record', 14, 'delete_duplicaterecord'),
(56, 'Can view duplicate record', 14, 'view_duplicaterecord'),
(57, 'Can add ledger', 15, 'add_ledger'),
(58, 'Can change ledger', 15, 'change_ledger'),
(59, 'Can delete ledger', 15, 'delete_ledger'),
(60, 'Can view ledger', 15, 'view_ledger'),
(61, 'Can add microservice', 16, 'add_microservice'),
(62, 'Can change microservice', 16, 'change_microservice'),
(63, 'Can delete microservice', 16, 'delete_microservice'),
(64, 'Can view microservice', 16, 'view_microservice'),
(65, 'Can add version', 17, 'add_version'),
(66, 'Can change version', 17, 'change_version'),
(67, 'Can delete version', 17, 'delete_version'),
(68, 'Can view version', 17, 'view_version'),
(69, 'Can add version set', 18, 'add_versionset'),
(70, 'Can change version set', 18, 'change_versionset'),
(71, 'Can delete version set', 18, 'delete_versionset'),
(72, 'Can view version set', 18, 'view_versionset'),
(73, 'Can add webhook endpoint', 19, 'add_webhookendpoint'),
(74, 'Can change webhook endpoint', 19, 'change_webhookendpoint'),
(75, 'Can delete webhook endpoint', 19, 'delete_webhookendpoint'),
(76, 'Can view webhook endpoint', 19, 'view_webhookendpoint'),
(77, 'Can add stage', 20, 'add_stage'),
(78, 'Can change stage', 20, 'change_stage'),
(79, 'Can delete stage', 20, 'delete_stage'),
(80, 'Can view stage', 20, 'view_stage'),
(81, 'Can add scenario', 21, 'add_scenario'),
(82, 'Can change scenario', 21, 'change_scenario'),
(83, 'Can delete scenario', 21, 'delete_scenario'),
(84, 'Can view scenario', 21, 'view_scenario'),
(85, 'Can add target', 22, 'add_target'),
(86, 'Can change target', 22, 'change_target'),
(87, 'Can delete target', 22, 'delete_target'),
(88, 'Can view target', 22, 'view_target'),
(89, 'Can add rollout', 23, 'add_rollout'),
(90, 'Can change rollout', 23, 'change_rollout'),
(91, 'Can delete rollout', 23, 'delete_rollout'),
(92, 'Can view rollout', 23, 'view_rollout'),
(93, 'Can add rollout target', 24, 'add_rollouttarget'),
(94, 'Can change rollout target', 24, 'change_rollouttarget'),
(95, 'Can delete rollout target', 24, 'delete_rollouttarget'),
(96, 'Can view rollout target', 24, 'view_rollouttarget'),
(97, 'Can add rollout canary', 25, 'add_rolloutcanary'),
(98, 'Can change rollout canary', 25, 'change_rolloutcanary'),
(99, 'Can delete rollout canary', 25, 'delete_rolloutcanary'),
(100, 'Can view rollout canary', 25, 'view_rolloutcanary'),
(101, 'Can add canary report', 26, 'add_canaryreport'),
(102, 'Can change canary report', 26, 'change_canaryreport'),
(103, 'Can delete canary report', 26, 'delete_canaryreport'),
(104, 'Can view canary report', 26, 'view_canaryreport'),
(105, 'Can add release', 27, 'add_release'),
(106, 'Can change release', 27, 'change_release'),
(107, 'Can delete release', 27, 'delete_release'),
(108, 'Can view release', 27, 'view_release'),
(109, 'Can add step', 28, 'add_step'),
(110, 'Can change step', 28, 'change_step'),
(111, 'Can delete step', 28, 'delete_step'),
(112, 'Can view step', 28, 'view_step'),
(113, 'Can add output', 29, 'add_output'),
(114, 'Can change output', 29, 'change_output'),
(115, 'Can delete output', 29, 'delete_output'),
(116, 'Can view output', 29, 'view_output'),
(117, 'Can add stop', 30, 'add_stop'),
(118, 'Can change stop', 30, 'change_stop'),
(119, 'Can delete stop', 30, 'delete_stop'),
(120, 'Can view stop', 30, 'view_stop'),
(121, 'Can add freeze window', 31, 'add_freezewindow'),
(122, 'Can change freeze window', 31, 'change_freezewindow'),
(123, 'Can delete freeze window', 31, 'delete_freezewindow'),
(124, 'Can view freeze window', 31, 'view_freezewindow'),
(125, 'Can add approval rule', 32, 'add_approvalrule'),
(126, 'Can change approval rule', 32, 'change_approvalrule'),
(127, 'Can delete approval rule', 32, 'delete_approvalrule'),
(128, 'Can view approval rule', 32, 'view_approvalrule'),
(129, 'Can add approval', 33, 'add_approval'),
(130, 'Can change approval', 33, 'change_approval'),
(131, 'Can delete approval', 33, 'delete_approval'),
(132, 'Can view approval', 33, 'view_approval'),
(133, 'Can add vote', 34, 'add_vote'),
(134, 'Can change vote', 34, 'change_vote'),
(135, 'Can delete vote', 34, 'delete_vote'),
(136, 'Can view vote', 34, 'view_vote'),
(137, 'Can add auto promotion', 35, 'add_autopromotion'),
(138, 'Can change auto promotion', 35, 'change_autopromotion'),
(139, 'Can delete auto promotion', 35, 'delete_autopromotion'),
(140, 'Can view auto promotion', 35, 'view_autopromotion'),
(141, 'Can add webhook delivery', 36, 'add_webhookdelivery'),
(142, 'Can change webhook delivery', 36, 'change_webhookdelivery'),
(143, 'Can delete webhook delivery', 36, 'delete_webhookdelivery'),
(144, 'Can view webhook delivery', 36, 'view_webhookdelivery'),
(145, 'Can add webhook attempt', 37, 'add_webhookattempt'),
(146, 'Can change webhook attempt', 37, 'change_webhookattempt'),
(147, 'Can delete webhook attempt', 37, 'delete_webhookattempt'),
(148, 'Can view webhook attempt', 37, 'view_webhookattempt'),
(149, 'Can add leftover', 38, 'add_leftover'),
(150, 'Can change leftover', 38, 'change_leftover'),
(151, 'Can delete leftover', 38, 'delete_leftover'),
(152, 'Can view leftover', 38, 'view_leftover'),
(153, 'Can add lock namespace', 39, 'add_locknamespace'),
(154, 'Can change lock namespace', 39, 'change_locknamespace'),
(155, 'Can delete lock namespace', 39, 'delete_locknamespace'),
(156, 'Can view lock namespace', 39, 'view_locknamespace'),
(157, 'Can add watermark', 40, 'add_watermark'),
(158, 'Can change watermark', 40, 'change_watermark'),
(159, 'Can delete watermark', 40, 'delete_watermark'),
(160, 'Can view watermark', 40, 'view_watermark'),
(161, 'Can add mutex', 41, 'add_mutex'),
(162, 'Can change mutex', 41, 'change_mutex'),
(163, 'Can delete mutex', 41, 'delete_mutex'),
(164, 'Can view mutex', 41, 'view_mutex'),
(165, 'Can add holding', 42, 'add_holding'),
(166, 'Can change holding', 42, 'change_holding'),
(167, 'Can delete holding', 42, 'delete_holding'),
(168, 'Can view holding', 42, 'view_holding'),
(169, 'Can add lock tally', 43, 'add_locktally'),
(170, 'Can change lock tally', 43, 'change_locktally'),
(171, 'Can delete lock tally', 43, 'delete_locktally'),
(172, 'Can view lock tally', 43, 'view_locktally'),
(173, 'Can add lock batch', 44, 'add_lockbatch'),
(174, 'Can change lock batch', 44, 'change_lockbatch'),
(175, 'Can delete lock batch', 44, 'delete_lockbatch'),
(176, 'Can view lock batch', 44, 'view_lockbatch'),
(177, 'Can add namespace', 45, 'add_namespace'),
(178, 'Can change namespace', 45, 'change_namespace'),
(179, 'Can delete namespace', 45, 'delete_namespace'),
(180, 'Can view namespace', 45, 'view_namespace'),
(181, 'Can add queue', 46, 'add_queue'),
(182, 'Can change queue', 46, 'change_queue'),
(183, 'Can delete queue', 46, 'delete_queue'),
(184, 'Can view queue', 46, 'view_queue'),
(185, 'Can add job', 47, 'add_job'),
(186, 'Can change job', 47, 'change_job'),
(187, 'Can delete job', 47, 'delete_job'),
(188, 'Can view job', 47, 'view_job'),
(189, 'Can add job result', 48, 'add_jobresult'),
(190, 'Can change job result', 48, 'change_jobresult'),
(191, 'Can delete job result', 48, 'delete_jobresult'),
(192, 'Can view job result', 48, 'view_jobresult'),
(193, 'Can add given up', 49, 'add_givenup'),
(194, 'Can change given up', 49, 'change_givenup'),
(195, 'Can delete given up', 49, 'delete_givenup'),
(196, 'Can view given up', 49, 'view_givenup'),
(197, 'Can add tally', 50, 'add_tally'),
(198, 'Can change tally', 50, 'change_tally'),
(199, 'Can delete tally', 50, 'delete_tally'),
(200, 'Can view tally', 50, 'view_tally'),
(201, 'Can add notification', 51, 'add_notification'),
(202, 'Can change notification', 51, 'change_notification'),
(203, 'Can delete notification', 51, 'delete_notification'),
(204, 'Can view notification', 51, 'view_notification'),
(205, 'Can add script namespace', 52, 'add_scriptnamespace'),
(206, 'Can change script namespace', 52, 'change_scriptnamespace'),
(207, 'Can delete script namespace', 52, 'delete_scriptnamespace'),
(208, 'Can view script namespace', 52, 'view_scriptnamespace'),
(209, 'Can add script', 53, 'add_script'),
(210, 'Can change script', 53, 'change_script'),
(211, 'Can delete script', 53, 'delete_script'),
(212, 'Can view script', 53, 'view_script'),
(213, 'Can add script version', 54, 'add_scriptversion'),
(214, 'Can change script version', 54, 'change_scriptversion'),
(215, 'Can delete script version', 54, 'delete_scriptversion'),
(216, 'Can view script version', 54, 'view_scriptversion'),
(217, 'Can add user data run', 55, 'add_userdatarun'),
(218, 'Can change user data run', 55, 'change_userdatarun'),
(219, 'Can delete user data run', 55, 'delete_userdatarun'),
(220, 'Can view user data run', 55, 'view_userdatarun'),
(221, 'Can add Scheduled task', 56, 'add_schedule'),
(222, 'Can change Scheduled task', 56, 'change_schedule'),
(223, 'Can delete Scheduled task', 56, 'delete_schedule'),
(224, 'Can view Scheduled task', 56, 'view_schedule'),
(225, 'Can add Task', 57, 'add_task'),
(226, 'Can change Task', 57, 'change_task'),
(227, 'Can delete Task', 57, 'delete_task'),
(228, 'Can view Task', 57, 'view_task'),
(229, 'Can add Failed task', 58, 'add_failure'),
(230, 'Can change Failed task', 58, 'change_failure'),
(231, 'Can delete Failed task', 58, 'delete_failure'),
(232, 'Can view Failed task', 58, 'view_failure'),
(233, 'Can add Successful task', 59, 'add_success'),
(234, 'Can change Successful task', 59, 'change_success'),
(235, 'Can delete Successful task', 59, 'delete_success'),
(236, 'Can view Successful task', 59, 'view_success'),
(237, 'Can add Queued task', 60, 'add_ormq'),
(238, 'Can change Queued task', 60, 'change_ormq'),
(239, 'Can delete Queued task', 60, 'delete_ormq'),
(240, 'Can view Queued task', 60, 'view_ormq'),
(241, 'Can add log entry', 61, 'add_logentry'),
(242, 'Can change log entry', 61, 'change_logentry'),
(243, 'Can delete log entry', 61, 'delete_logentry'),
(244, 'Can view log entry', 61, 'view_logentry'),
(245, 'Can add permission', 62, 'add_permission'),
(246, 'Can change permission', 62, 'change_permission'),
(247, 'Can delete permission', 62, 'delete_permission'),
(248, 'Can view permission', 62, 'view_permission'),
(249, 'Can add group', 63, 'add_group'),
(250, 'Can change group', 63, 'change_group'),
(251, 'Can delete group', 63, 'delete_group'),
(252, 'Can view group', 63, 'view_group'),
(253, 'Can add content type', 64, 'add_contenttype'),
(254, 'Can change content type', 64, 'change_contenttype'),
(255, 'Can delete content type', 64, 'delete_contenttype'),
(256, 'Can view content type', 64, 'view_contenttype'),
(257, 'Can add session', 65, 'add_session'),
(258, 'Can change session', 65, 'change_session'),
(259, 'Can delete session', 65, 'delete_session'),
(260, 'Can view session', 65, 'view_session');
