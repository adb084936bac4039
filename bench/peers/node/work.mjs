// One process of graphile-worker. argv: "plain", "kept" (the task writes its result, as an application would), or "tuned" (what
// the page of its maker was measured with: 24 jobs at once, a local queue, completions written in batches).
import { run } from "graphile-worker";

const [variant] = process.argv.slice(2);
const tuned = { concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const runner = await run({
  preset: { worker: { connectionString: process.env.DATABASE_URL, concurrentJobs: 1, ...(variant === "tuned" ? tuned : {}) } },
  taskList: {
    nothing: async (payload, helpers) => {
      if (variant === "kept") {
        await helpers.query("INSERT INTO bench_result (number) VALUES ($1)", [payload.number]);
      }
    },
  },
});
await runner.promise;
