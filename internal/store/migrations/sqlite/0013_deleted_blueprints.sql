-- +goose Up
-- A blueprint that is deleted leaves its name to nobody, so that another of that name is not taken for it.
INSERT INTO history_names (blueprint, identifier, old_blueprint, old_identifier, until)
SELECT '', '', blueprint, '', id FROM history WHERE kind = 'blueprint' AND action = 'DELETE' AND status = 'SUCCESS' ORDER BY id;
