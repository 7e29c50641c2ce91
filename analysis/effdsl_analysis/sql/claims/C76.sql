-- Lowest loss: LoRA-plus (LLaVA-1.5), PiSSA (Qwen2.5-VL, InternVL), rsLoRA (QvQ) (Table 12).
FROM extreme('fine_tuning', 'vision-language', 'loss', 'lora-plus', 'lowest') WHERE size = 'llava-1.5-7b'
UNION ALL
FROM extreme('fine_tuning', 'vision-language', 'loss', 'pissa', 'lowest') WHERE size IN ('qwen2.5-vl-7b', 'internvl-3-38b')
UNION ALL
FROM extreme('fine_tuning', 'vision-language', 'loss', 'rslora', 'lowest') WHERE size = 'qvq-72b';
