-- Release gates (W-09): what was pinned with the first bundle of each, and every bundle that extended the one before.

CREATE TABLE gates (
  org_id text NOT NULL REFERENCES orgs,
  gate_id text NOT NULL CHECK (gate_id ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
  pins jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  -- What its last verdict was worth when somebody last looked, so that a change is told once (R-18).
  standing text, standing_since timestamptz,
  PRIMARY KEY (org_id, gate_id)
);
CREATE TABLE gate_bundles (
  org_id text NOT NULL, gate_id text NOT NULL,
  -- Of the log in it. A bundle is taken only when its log begins with that of the one before.
  size bigint NOT NULL, root text NOT NULL,
  digest text NOT NULL, bytes bytea NOT NULL, received_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, gate_id, size), FOREIGN KEY (org_id, gate_id) REFERENCES gates
);
-- The bundle is random to a compressor: keep it out of line, as it is.
ALTER TABLE gate_bundles ALTER COLUMN bytes SET STORAGE EXTERNAL;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['gates', 'gate_bundles'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (org_id = current_org()) WITH CHECK (org_id = current_org())', t);
  END LOOP;
END $$;
-- What was received is never changed or taken out again by the role that serves requests.
GRANT SELECT, INSERT ON gates, gate_bundles TO holdfast_app;
GRANT UPDATE (standing, standing_since) ON gates TO holdfast_app;
