import { describeEventBus } from "./contract.ts";
import { createInProcessBus } from "./in-process-bus.ts";

describeEventBus("in-process bus", async (options) => createInProcessBus(options));
