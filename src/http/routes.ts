// What is answered to which request. Knows no sockets.
//
//   GET /health/live    200 {"live":true}          503: a thread is stuck
//   GET /health/ready   200 {"ready":true}         503 with reasons: starting, broker away, spool full, shutting down
//   GET /health         200 everything, per device 503 when not ready
//   GET /metrics        200 for Prometheus

import type { HealthReport } from '../control/health-report.js';
import { type Answer, jsonAnswer } from './answer.js';
import { carriesToken } from './bearer-token.js';

/** The part of a request that counts. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly url: string;
  readonly authorization: string | undefined;
}

export interface RouteOptions {
  /** Who asks must send it; undefined: nobody needs to. */
  readonly token: string | undefined;
  report(): HealthReport;
  metrics(): Promise<Answer>;
}

type Route = (options: RouteOptions) => Answer | Promise<Answer>;

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/health/live', ({ report }) => liveAnswer(report())],
  ['/health/ready', ({ report }) => readyAnswer(report())],
  ['/health', ({ report }) => wholeAnswer(report())],
  ['/metrics', ({ metrics }) => metrics()],
]);

/** HEAD is GET without the body: some health checks ask that way. */
const METHODS = ['GET', 'HEAD'];

/** The answer to a request. Who has no token learns nothing, not even which paths there are. */
export async function route(request: HttpRequest, options: RouteOptions): Promise<Answer> {
  const { token } = options;
  if (token !== undefined && !carriesToken(request.authorization, token)) {
    return jsonAnswer(401, { error: 'needs Authorization: Bearer <http.token>' }, { 'www-authenticate': 'Bearer' });
  }
  const known = ROUTES.get(pathOf(request.url));
  if (known === undefined) return jsonAnswer(404, { error: 'no such path', paths: [...ROUTES.keys()] });
  if (!METHODS.includes(request.method)) {
    return jsonAnswer(405, { error: 'only GET and HEAD' }, { allow: METHODS.join(', ') });
  }
  return known(options);
}

function pathOf(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function liveAnswer({ live, not_live }: HealthReport): Answer {
  return live ? jsonAnswer(200, { live }) : jsonAnswer(503, { live, reasons: not_live });
}

function readyAnswer({ ready, not_ready, degraded }: HealthReport): Answer {
  return ready ? jsonAnswer(200, { ready, degraded }) : jsonAnswer(503, { ready, degraded, reasons: not_ready });
}

function wholeAnswer(report: HealthReport): Answer {
  return jsonAnswer(report.live && report.ready ? 200 : 503, report);
}
