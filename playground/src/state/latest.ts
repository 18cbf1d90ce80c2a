/** Requests that follow a slider: of the answers, only the newest counts. */

import { isAbort } from "../api/problem";

const MAX_IN_FLIGHT = 2;

interface Flight {
  order: number;
  controller: AbortController;
}

/**
 * Runs requests for an input that changes faster than they are answered.
 *
 * At most two are in flight. Of the inputs that wait only the newest is kept. Answers are shown in
 * the order of their inputs: when one is shown, requests for older inputs are aborted.
 */
export class LatestRequests<Input, Output> {
  private order = 0;
  private flights: Flight[] = [];
  private waiting: { input: Input; order: number } | undefined;

  constructor(
    private readonly run: (input: Input, signal: AbortSignal) => Promise<Output>,
    private readonly show: (output: Output, input: Input) => void,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Whether an answer is still to come. */
  get busy(): boolean {
    return this.flights.length > 0;
  }

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
    if (!this.waiting || this.flights.length >= MAX_IN_FLIGHT) return;
    const { input, order } = this.waiting;
    this.waiting = undefined;
    void this.fly(input, order);
  }

  private async fly(input: Input, order: number): Promise<void> {
    const flight = { order, controller: new AbortController() };
    this.flights.push(flight);
    try {
      const output = await this.run(input, flight.controller.signal);
      if (flight.controller.signal.aborted) return;
      this.abortBefore(order);
      this.show(output, input);
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
