import { describeEventBus } from "./contract.ts";
import { createInProcessBus } from "./in-process-bus.ts";

const WINDOW_MS = 300;

describeEventBus("in-process bus", async () => createInProcessBus({ dedupeWindowMs: WINDOW_MS }), WINDOW_MS);
