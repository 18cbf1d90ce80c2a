/** Requests that follow a slider: of the answers, only the newest counts. */

import { isAbort } from "../api/problem";

const MAX_IN_FLIGHT = 2;
/**
 * When a second request may be sent beside the first.
 *
 * Two requests at once share the cores of the service, so that each takes twice as long. But one
 * that is slow for another reason, such as a slow network, should not hold up the newer one.
 */
const SECOND_AFTER_MS = 500;

interface Flight {
  order: number;
  started: number;
  controller: AbortController;
}

/**
 * Runs requests for an input that changes faster than they are answered.
 *
 * One request is in flight, or two where the first takes long. Of the inputs that wait only the
 * newest is kept. Answers are shown in the order of their inputs: when one is shown, requests for
 * older inputs are aborted.
 */
export class LatestRequests<Input, Output> {
  private order = 0;
  private flights: Flight[] = [];
  private waiting: { input: Input; order: number } | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly run: (input: Input, signal: AbortSignal) => Promise<Output>,
    private readonly show: (output: Output, input: Input, isNewest: boolean) => void,
    private readonly fail: (error: unknown) => void,
    private readonly secondAfter = SECOND_AFTER_MS,
  ) {}

  /** Request the output of an input, which takes the place of all before it. */
  request(input: Input): void {
    this.waiting = { input, order: ++this.order };
    this.startWaiting();
  }

  /** Abort everything: none of the answers is shown any more. */
  cancel(): void {
    this.waiting = undefined;
    this.abortBefore(Infinity);
  }

  private startWaiting(): void {
    clearTimeout(this.timer);
    if (!this.waiting || this.flights.length >= MAX_IN_FLIGHT) return;
    const [first] = this.flights;
    const age = first ? performance.now() - first.started : Infinity;
    if (age < this.secondAfter) {
      this.timer = setTimeout(() => this.startWaiting(), this.secondAfter - age);
      return;
    }
    const { input, order } = this.waiting;
    this.waiting = undefined;
    void this.start(input, order);
  }

  private async start(input: Input, order: number): Promise<void> {
    const flight = { order, started: performance.now(), controller: new AbortController() };
    this.flights.push(flight);
    try {
      const output = await this.run(input, flight.controller.signal);
      if (flight.controller.signal.aborted) return;
      this.abortBefore(order);
      this.show(output, input, order === this.order);
    } catch (error) {
      // An error of an input that is no longer current says nothing to anybody.
      if (!isAbort(error) && order === this.order) this.fail(error);
    } finally {
      this.flights = this.flights.filter((other) => other !== flight);
      this.startWaiting();
    }
  }

  private abortBefore(order: number): void {
    for (const flight of this.flights) {
      if (flight.order < order) flight.controller.abort();
    }
    this.flights = this.flights.filter((flight) => flight.order >= order);
  }
}
