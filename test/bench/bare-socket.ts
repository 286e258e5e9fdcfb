// Memory per connection over that of a bare `net` server with as many: what Ferrule adds to Node, whatever Node takes.

import { figuresOf, type Result } from './result.js';
import { bareServer } from './systems/bare-server.js';

/** The results, with `kibOverBareSocket` wherever it can be told. */
export function withBareSocket(results: readonly Result[]): Result[] {
  return results.map((result) => {
    const bare = figuresOf(results, result.workload, bareServer.name)?.kibPerConnection;
    const own = result.figures.kibPerConnection;
    if (bare === undefined || own === undefined || result.system === bareServer.name) return result;
    return { ...result, figures: { ...result.figures, kibOverBareSocket: own - bare } };
  });
}
