// `${VAR}` and `${VAR:-default}` in the strings of a config file. `$${` is a plain `${`.

/** Text with its variables replaced, or the names of variables that are not set and have no default. */
export type Substituted =
  | { readonly kind: 'plain' }
  | { readonly kind: 'replaced'; readonly text: string }
  | { readonly kind: 'unset'; readonly names: readonly string[] }
  | { readonly kind: 'malformed'; readonly at: string };

const REFERENCE = /\$(\$?)\{([^{}]*)\}|\$\$?\{/g;
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/** Replaces the variables in `text`. As in a shell, `:-` also stands in for a variable that is set but empty. */
export function substitute(text: string, env: Readonly<Record<string, string | undefined>>): Substituted {
  if (!text.includes('${')) return { kind: 'plain' };
  const unset: string[] = [];
  let malformed: string | undefined;
  let isVariable = false;
  const replaced = text.replaceAll(REFERENCE, (whole: string, dollar: string | undefined, body: string | undefined) => {
    if (dollar === '$' || whole === '$${') return whole.slice(1);
    const match = body === undefined ? null : NAME.exec(body);
    if (match?.[1] === undefined) {
      malformed ??= whole;
      return whole;
    }
    isVariable = true;
    const value = env[match[1]];
    if (value === undefined && match[2] === undefined) unset.push(match[1]);
    return (match[2] === undefined ? value : value || match[2]) ?? '';
  });
  if (malformed !== undefined) return { kind: 'malformed', at: malformed };
  if (unset.length > 0) return { kind: 'unset', names: unset };
  return isVariable || replaced !== text ? { kind: 'replaced', text: replaced } : { kind: 'plain' };
}
