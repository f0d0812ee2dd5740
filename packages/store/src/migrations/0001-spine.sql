-- The first schema: orgs, people and tokens, hosts, evidence, the transparency log, live state.
--
-- Every table with org_id is bound to the org of the transaction (`holdfast.org_id`) by forced
-- row-level security (T-02). Three tables are also readable by the digest of a credential that the
-- caller presented (`holdfast.credential`): that is how a credential finds its org.

CREATE FUNCTION current_org() RETURNS text STABLE LANGUAGE sql
  AS $$ SELECT nullif(current_setting('holdfast.org_id', true), '') $$;
CREATE FUNCTION current_credential() RETURNS text STABLE LANGUAGE sql
  AS $$ SELECT nullif(current_setting('holdfast.credential', true), '') $$;

CREATE TABLE orgs (
  id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sites (
  org_id text NOT NULL REFERENCES orgs, site_id text NOT NULL, name text NOT NULL,
  PRIMARY KEY (org_id, site_id)
);
CREATE TABLE users (
  org_id text NOT NULL REFERENCES orgs, user_id text NOT NULL, name text NOT NULL, role text NOT NULL,
  password_salt bytea NOT NULL, password_hash bytea NOT NULL,
  failures int NOT NULL DEFAULT 0, locked_until timestamptz,
  PRIMARY KEY (org_id, user_id), UNIQUE (org_id, name)
);
-- One table for what a bearer can present: sessions, login codes, API tokens, enrolment tokens.
CREATE TABLE credentials (
  org_id text NOT NULL REFERENCES orgs, digest text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('session', 'login-code', 'api-token', 'enrollment')),
  subject text NOT NULL, detail jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(), used_at timestamptz, expires_at timestamptz,
  PRIMARY KEY (digest)
);
CREATE INDEX ON credentials (org_id, kind);

CREATE TABLE hosts (
  org_id text NOT NULL REFERENCES orgs, host_id text NOT NULL, site_id text NOT NULL, name text NOT NULL,
  simulated boolean NOT NULL, platform jsonb NOT NULL, labels jsonb NOT NULL,
  enrolled_at timestamptz NOT NULL, deleted_at timestamptz,
  last_seen_at timestamptz, silent_since timestamptz, boot_id text, agent_version text, health jsonb,
  policy_hash text, baseline_hash text, audit_seq bigint, audit_head text,
  PRIMARY KEY (org_id, host_id), FOREIGN KEY (org_id, site_id) REFERENCES sites
);
CREATE TABLE host_keys (
  org_id text NOT NULL, host_id text NOT NULL, key_id text NOT NULL, public_key bytea NOT NULL,
  valid_from timestamptz NOT NULL, valid_to timestamptz,
  PRIMARY KEY (org_id, key_id), FOREIGN KEY (org_id, host_id) REFERENCES hosts
);
CREATE TABLE host_certificates (
  org_id text NOT NULL, serial text NOT NULL, host_id text NOT NULL,
  not_after timestamptz NOT NULL, superseded_at timestamptz,
  PRIMARY KEY (org_id, serial), FOREIGN KEY (org_id, host_id) REFERENCES hosts
);
CREATE TABLE checkins (
  org_id text NOT NULL, host_id text NOT NULL, at timestamptz NOT NULL, boot_id text NOT NULL, status text NOT NULL,
  PRIMARY KEY (org_id, host_id, at)
);

CREATE TABLE evidence (
  org_id text NOT NULL REFERENCES orgs, bundle_id uuid NOT NULL, host_id text NOT NULL, site_id text NOT NULL,
  host_name text NOT NULL, kind text NOT NULL, check_name text, operation text, outcome text NOT NULL, severity text NOT NULL,
  started timestamptz NOT NULL, ended timestamptz NOT NULL, received_at timestamptz NOT NULL, late boolean NOT NULL,
  simulated boolean NOT NULL, remediation_id uuid, order_id text,
  key_id text NOT NULL, digest text NOT NULL, log_index bigint NOT NULL,
  -- The exact bytes that were verified; every column above follows from them, the log, or the time of arrival.
  envelope bytea NOT NULL,
  PRIMARY KEY (org_id, bundle_id), UNIQUE (org_id, log_index)
);
CREATE INDEX ON evidence (org_id, host_id, started DESC);
CREATE INDEX ON evidence (org_id, remediation_id) WHERE remediation_id IS NOT NULL;

CREATE TABLE log_state (
  org_id text NOT NULL PRIMARY KEY REFERENCES orgs, size bigint NOT NULL,
  -- Hashes of the perfect subtrees that make up the tree, largest first: all an append needs to know.
  frontier bytea[] NOT NULL
);
CREATE TABLE log_leaves (
  org_id text NOT NULL REFERENCES orgs, leaf_index bigint NOT NULL, bundle_id uuid NOT NULL, leaf_hash bytea NOT NULL,
  PRIMARY KEY (org_id, leaf_index)
);
CREATE TABLE log_nodes (
  org_id text NOT NULL REFERENCES orgs, level int NOT NULL CHECK (level >= 1), node_index bigint NOT NULL, hash bytea NOT NULL,
  PRIMARY KEY (org_id, level, node_index)
);
CREATE TABLE checkpoints (
  org_id text NOT NULL REFERENCES orgs, size bigint NOT NULL, root bytea NOT NULL, note text NOT NULL, signed_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, size)
);

CREATE TABLE check_status (
  org_id text NOT NULL, host_id text NOT NULL, check_name text NOT NULL, status text NOT NULL, severity text NOT NULL,
  at timestamptz NOT NULL, since timestamptz NOT NULL, bundle_id uuid NOT NULL, findings jsonb NOT NULL,
  PRIMARY KEY (org_id, host_id, check_name), FOREIGN KEY (org_id, host_id) REFERENCES hosts
);
CREATE TABLE remediations (
  org_id text NOT NULL REFERENCES orgs, remediation_id uuid NOT NULL, host_id text NOT NULL, check_name text NOT NULL,
  operation text, state text NOT NULL, proven boolean NOT NULL, opened_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, remediation_id)
);
CREATE INDEX ON remediations (org_id, host_id, opened_at DESC);
CREATE TABLE remediation_history (
  org_id text NOT NULL REFERENCES orgs, remediation_id uuid NOT NULL, at timestamptz NOT NULL, state text NOT NULL, bundle_id uuid,
  UNIQUE NULLS NOT DISTINCT (org_id, remediation_id, at, state, bundle_id)
);
CREATE TABLE orders (
  org_id text NOT NULL, order_id text NOT NULL, host_id text NOT NULL, operation text NOT NULL, params jsonb NOT NULL,
  envelope text NOT NULL, state text NOT NULL, code text, requested_by text NOT NULL,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, bundle_id uuid,
  PRIMARY KEY (org_id, order_id), FOREIGN KEY (org_id, host_id) REFERENCES hosts
);
CREATE INDEX ON orders (org_id, host_id, created_at DESC);
CREATE TABLE timeline (
  org_id text NOT NULL REFERENCES orgs, entry_id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL,
  host_id text NOT NULL, kind text NOT NULL, title text NOT NULL, severity text NOT NULL, bundle_id uuid, remediation_id uuid,
  PRIMARY KEY (org_id, entry_id)
);
CREATE INDEX ON timeline (org_id, host_id, at DESC);
CREATE TABLE conflicts (
  org_id text NOT NULL REFERENCES orgs, bundle_id uuid NOT NULL, host_id text NOT NULL, digest text NOT NULL, at timestamptz NOT NULL,
  PRIMARY KEY (org_id, bundle_id, digest)
);
CREATE TABLE event_state (org_id text NOT NULL PRIMARY KEY REFERENCES orgs, seq bigint NOT NULL);
CREATE TABLE events (
  org_id text NOT NULL REFERENCES orgs, seq bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL, host_id text, id text,
  PRIMARY KEY (org_id, seq)
);
CREATE TABLE integrity (
  org_id text NOT NULL PRIMARY KEY REFERENCES orgs, verified_at timestamptz NOT NULL, checked bigint NOT NULL, problems jsonb NOT NULL
);

DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT c.table_name FROM information_schema.columns c
           WHERE c.table_schema = 'public' AND c.column_name = 'org_id' LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    IF t = 'credentials' THEN
      -- Readable by whoever presents it; written and listed only within its org.
      EXECUTE format('CREATE POLICY tenant ON %I USING (org_id = current_org()) WITH CHECK (org_id = current_org())', t);
      EXECUTE format('CREATE POLICY presented ON %I FOR SELECT USING (digest = current_credential())', t);
    ELSE
      EXECUTE format('CREATE POLICY tenant ON %I USING (org_id = current_org()) WITH CHECK (org_id = current_org())', t);
    END IF;
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO holdfast_app;
-- What was logged is never changed or taken out again by the role that serves requests.
REVOKE UPDATE, DELETE ON evidence, log_leaves, log_nodes, checkpoints FROM holdfast_app;
