-- MQA and GQA lower the FID against MHA on every backbone (Table 10).
FROM than('attention', 'image', 'fid', 'mqa', 'lower', 'mha')
UNION ALL
FROM than('attention', 'image', 'fid', 'gqa', 'lower', 'mha');
