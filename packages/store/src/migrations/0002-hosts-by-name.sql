-- What pages of hosts look up, so that a fleet of ten thousand is read as fast as one of ten (W-03).

CREATE INDEX ON hosts (org_id, name, host_id) WHERE deleted_at IS NULL;
CREATE INDEX ON host_keys (org_id, host_id, valid_from DESC);
CREATE INDEX ON host_certificates (org_id, host_id, not_after DESC);
CREATE INDEX ON evidence (org_id, started DESC, bundle_id DESC);
CREATE INDEX ON remediations (org_id, opened_at DESC, remediation_id DESC);
