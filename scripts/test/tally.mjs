/**
 * Counts one file's result the way a reader counts: every test once, skipped ones by reason. A suite counts only when it is itself
 * skipped or broken; a test or suite that failed because of what is inside it is not told twice.
 */
export function tally({ file, events, exit, ms, timedOut, leftovers, output }, { timeoutMs, grep }) {
  const result = { file, ms, leftovers, passed: 0, failed: 0, skipped: [], failures: [], output: "" };
  const fail = (name, text, count = 1) => {
    result.failed += count;
    result.failures.push({ file, name, text });
  };
  const tests = events.filter((event) => event.path !== undefined);
  for (const event of tests) {
    const name = event.path.join(" > ");
    if (event.skip !== null && event.skip !== false) result.skipped.push(reasonOf(event.skip));
    else if (event.failed && event.todo !== null && event.todo !== false)
      result.skipped.push(`todo: ${reasonOf(event.todo)}`);
    else if (event.failed && event.error.kind === "subtestsFailed") result.failed += event.suite ? 0 : 1;
    else if (event.failed) fail(name, event.error.text);
    else if (!event.suite) result.passed += 1;
  }
  const ended = events.some((event) => event.end);
  const said = [...events.flatMap((event) => event.diagnostic ?? []), output].filter(Boolean).join("\n");
  const anyFailed = result.failed > 0;
  const broken = (text) => fail("(the file)", said === "" ? text : `${text}\n${said}`);
  if (timedOut)
    broken(`hung: still running after ${Math.round(timeoutMs / 1000)} s, killed. ${whatHangs(events)}`);
  else if (!ended && exit !== 0) broken(`crashed: the process ended with ${exit} before its tests did.`);
  else if (!ended) broken("ended before its tests did, or registers none: it may call process.exit().");
  else if (exit !== 0 && !anyFailed) broken(`ended with ${exit} although no test failed.`);
  else if (tests.length === 0 && !grep) broken("registers no test.");
  else if (anyFailed) result.output = said;
  return result;
}

function whatHangs(events) {
  const completed = new Set(events.flatMap((event) => event.completed ?? []));
  const running = events.filter((event) => event.started !== undefined && !completed.has(event.started));
  if (running.length > 0)
    return `Still running: ${running
      .slice(0, 5)
      .map(({ name }) => `"${name}"`)
      .join(", ")}.`;
  return "No test was waiting: a busy loop, or an open server, timer or worker, keeps the process alive.";
}

function reasonOf(value) {
  return typeof value === "string" && value !== "" ? value : "no reason given";
}
