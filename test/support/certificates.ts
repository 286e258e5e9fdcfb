// Certificates for tests, made by openssl: an authority, what it signs, and what goes wrong with certificates in life.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';

/** Why a test that needs openssl skips, or `undefined` where it must run. */
export const skipWithoutOpenssl =
  spawnSync('openssl', ['version']).error === undefined || process.env.CI === 'true'
    ? undefined
    : 'skipped: openssl is not installed';

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Names and addresses that it is good for, such as `DNS:localhost`. */
  readonly names?: string;
  /** Days from now to its end; negative: it has ended. Default 2. */
  readonly days?: number;
  /** Days from now to its beginning. Default: before now and before its end. */
  readonly from?: number;
}

export interface Authority {
  /** Path of its own certificate. */
  readonly ca: string;
  /** Signs a certificate for `name`. */
  sign(name: string, options?: CertificateOptions): Certificate;
}

/** Makes an authority in a folder of its own, gone with the test. */
export function authorityFor(t: ExecutionContext, name = 'Ferrule test authority'): Authority {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-ca-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  openssl(
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ca.key -out ca.crt -subj'.split(
      ' ',
    ),
    `/CN=${name}`,
  );
  const database = `[ca]\ndefault_ca=x\n[x]\ndir=.\ndatabase=index\nnew_certs_dir=.\nserial=serial\npolicy=p\n`;
  writeFileSync(
    path.join(dir, 'ca.cnf'),
    `${database}copy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n`,
  );
  writeFileSync(path.join(dir, 'index'), '');
  writeFileSync(path.join(dir, 'serial'), '1000\n');
  let made = 0;
  return {
    ca: path.join(dir, 'ca.crt'),
    sign: (subject, { names = 'DNS:localhost', days = 2, from = Math.min(-1, days - 1) } = {}) => {
      made += 1;
      const [key, request, cert] = [`${made}.key`, `${made}.csr`, `${made}.crt`];
      const wanted = ['-subj', `/CN=${subject}`, '-addext', `subjectAltName=${names}`];
      openssl(
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        ...wanted,
        '-keyout',
        key,
        '-out',
        request,
      );
      const span = ['-startdate', opensslTime(from), '-enddate', opensslTime(days)];
      openssl(
        ...'ca -batch -md sha256 -config ca.cnf -cert ca.crt -keyfile ca.key -notext'.split(' '),
        ...span,
        '-in',
        request,
        '-out',
        cert,
      );
      return { cert: path.join(dir, cert), key: path.join(dir, key) };
    },
  };
}

/** The text of a PEM file, as the TLS of Node takes it. */
export function pem(file: string): Buffer {
  return readFileSync(file);
}

/** `days` from now as `YYYYMMDDHHMMSSZ`. */
function opensslTime(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 19).replaceAll(/\D/g, '')}Z`;
}
