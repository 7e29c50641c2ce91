-- What can be asked about? One row: precisions, by name and as labelled, and evaluations that have items. Parameter: $study.
SELECT coalesce(list_sort(list(DISTINCT identity.choices -> '$.precision' ->> 'technique')), []) AS families,
       coalesce(list_sort(list(DISTINCT identity.choices -> '$.precision' ->> 'label')), []) AS labels,
       coalesce((SELECT list_sort(list(DISTINCT evaluation)) FROM items
                 WHERE key IN (SELECT key FROM chosen($study, NULL) WHERE json_exists(identity.choices, '$.precision'))), []) AS evaluations
FROM chosen($study, NULL) WHERE outcome = 'ok' AND json_exists(identity.choices, '$.precision');
