/* A stand-in for NVIDIA's driver library libnvidia-ml.so.1: GPUs that replay a trace.
 *
 * Environment:
 *   STANDIN_TRACE        CSV with a header line; each row holds from its time on:
 *                        t_s,power_mw,energy_mj,module_power_mw,module_energy_mj,memory,utilisation,reasons,pids
 *                        pids is "-" or numbers joined by ";", where "self" is the calling process.
 *   STANDIN_UNSUPPORTED  names joined by ",": what answers NVML_ERROR_NOT_SUPPORTED, or
 *   STANDIN_REFUSAL      the number of the error that it answers instead.
 *   STANDIN_NAME         product name.
 *   STANDIN_CORES        cores of each GPU of the machine, joined by ","; one GPU without it. All replay the
 *                        trace; the first is GPU-standin, those after it GPU-standin1, GPU-standin2, ...
 *   STANDIN_LOST_AT_S    from this time on every reading answers NVML_ERROR_GPU_IS_LOST.
 *
 * Time is what standin_set_time_s was given, else the monotonic clock since nvmlInit.
 * Layouts of the structures follow nvml.h.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
enum { MAX_ROWS = 4096, MAX_PIDS = 8 };

typedef struct {
    double t_s;
    unsigned power_mw, module_power_mw, utilisation;
    unsigned long long energy_mj, module_energy_mj, memory, reasons;
    unsigned pids[MAX_PIDS], pid_count;
} Row;

static Row rows[MAX_ROWS];
static int row_count;
static double set_time_s = -1, started_s;

static double monotonic_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

void standin_set_time_s(double t_s) { set_time_s = t_s; }

static double now_s(void) { return set_time_s >= 0 ? set_time_s : monotonic_s() - started_s; }

static const Row *now(void) {
    int i = 0;
    while (i + 1 < row_count && rows[i + 1].t_s <= now_s() + 1e-9) i++;
    return &rows[i];
}

static int refuse(const char *what) {
    const char *lost = getenv("STANDIN_LOST_AT_S"), *listed = getenv("STANDIN_UNSUPPORTED");
    if (lost && now_s() >= atof(lost)) return GPU_IS_LOST;
    const char *code = getenv("STANDIN_REFUSAL");
    for (size_t n = strlen(what); listed && *listed; listed += strcspn(listed, ","), listed += *listed == ',')
        if (strcspn(listed, ",") == n && !strncmp(listed, what, n)) return code ? atoi(code) : NOT_SUPPORTED;
    return SUCCESS;
}

static void read_pids(Row *row, char *text) {
    for (char *pid = strtok(text, ";\n"); pid && row->pid_count < MAX_PIDS; pid = strtok(NULL, ";\n"))
        if (strcmp(pid, "-")) row->pids[row->pid_count++] = strcmp(pid, "self") ? atoi(pid) : getpid();
}

int nvmlInitWithFlags(unsigned flags) {
    char line[512], pids[256];
    FILE *trace = fopen(getenv("STANDIN_TRACE"), "r");
    (void)flags;
    if (!trace) return NOT_FOUND;
    started_s = monotonic_s();
    row_count = 0;
    memset(rows, 0, sizeof rows);
    if (!fgets(line, sizeof line, trace)) return NOT_FOUND;
    while (row_count < MAX_ROWS && fgets(line, sizeof line, trace)) {
        Row *row = &rows[row_count++];
        if (sscanf(line, "%lf,%u,%llu,%u,%llu,%llu,%u,%llu,%255s", &row->t_s, &row->power_mw, &row->energy_mj,
                   &row->module_power_mw, &row->module_energy_mj, &row->memory, &row->utilisation, &row->reasons,
                   pids) != 9) return NOT_FOUND;
        read_pids(row, pids);
    }
    fclose(trace);
    return SUCCESS;
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "580.65.06"); return refuse("driver"); }

/* A device is a pointer to its number. */
static const unsigned numbers[] = {0, 1, 2, 3};

static unsigned cores[4];

static unsigned gpus(void) {
    unsigned count = 0;
    const char *listed = getenv("STANDIN_CORES");
    for (; listed && count < 4; count++, listed = strchr(listed, ','), listed = listed ? listed + 1 : listed)
        cores[count] = atoi(listed);
    return count ? count : 1;
}

int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpus(); return refuse("count"); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index >= gpus()) return NOT_FOUND;
    *device = (void *)&numbers[index];
    return index ? SUCCESS : refuse("handle");
}

static void name_of(unsigned number, char *text, unsigned size) {
    if (number) snprintf(text, size, "GPU-standin%u", number);
    else snprintf(text, size, "GPU-standin");
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    char name[32];
    for (unsigned number = 0; number < gpus(); number++) {
        name_of(number, name, sizeof name);
        *device = (void *)&numbers[number];
        if (!strcmp(uuid, name)) return number ? SUCCESS : refuse("handle");
    }
    return NOT_FOUND;
}

int nvmlDeviceGetNumGpuCores(void *device, unsigned *count) {
    gpus();
    *count = cores[*(unsigned *)device];
    return refuse("cores");
}

int nvmlDeviceGetMaxClockInfo(void *device, int kind, unsigned *mhz) {
    (void)device, (void)kind;
    *mhz = 1000;
    return refuse("clock");
}

int nvmlDeviceGetName(void *device, char *text, unsigned size) {
    (void)device;
    const char *name = getenv("STANDIN_NAME");
    snprintf(text, size, "%s", name ? name : "NVIDIA H200");
    return refuse("name");
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
    name_of(*(unsigned *)device, text, size);
    return refuse("uuid");
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    (void)device;
    *major = 9, *minor = 0;
    return refuse("capability");
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *mw) {
    (void)device;
    *mw = 700000;
    return refuse("power_limit");
}

int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
    (void)device;
    *current = *pending = getenv("STANDIN_MIG") != NULL;
    return refuse("mig");
}

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
enum { RESERVED = 600000000 };
static const unsigned long long TOTAL = 150754820096ULL;

int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) { /* version 1 counts the reserved part as used */
    (void)device;
    memory->total = TOTAL;
    memory->used = now()->memory + RESERVED;
    memory->free = TOTAL - memory->used;
    return refuse("memory");
}

int nvmlDeviceGetMemoryInfo_v2(void *device, MemoryV2 *memory) {
    (void)device;
    memory->total = TOTAL;
    memory->reserved = RESERVED;
    memory->used = now()->memory;
    memory->free = TOTAL - RESERVED - memory->used;
    return refuse("memory_v2");
}

typedef struct { unsigned gpu, memory; } Utilisation;

int nvmlDeviceGetUtilizationRates(void *device, Utilisation *rates) {
    (void)device;
    rates->gpu = now()->utilisation;
    rates->memory = 0;
    return refuse("utilisation");
}

int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons) {
    (void)device;
    *reasons = now()->reasons;
    return refuse("reasons");
}

typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } Process;

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, Process *processes) {
    (void)device;
    const Row *row = now();
    int refused = refuse("processes");
    if (refused) return refused;
    unsigned room = *count;
    *count = row->pid_count;
    if (room < row->pid_count || (row->pid_count && !processes)) return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < row->pid_count; i++)
        processes[i] = (Process){.pid = row->pids[i], .memory = row->memory / row->pid_count};
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) {
    (void)device;
    *mj = now()->energy_mj;
    return refuse("energy_gpu");
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) {
    (void)device;
    *mw = now()->power_mw;
    return refuse("power_usage");
}

typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    int type, result; /* type: 1 unsigned int, 3 unsigned long long */
    union { unsigned ui; unsigned long long ull; double d; } value;
} FieldValue;

enum { TOTAL_ENERGY = 83, POWER_AVERAGE = 185, POWER_INSTANT = 186, MODULE = 1 };

int nvmlDeviceGetFieldValues(void *device, int count, FieldValue *values) {
    (void)device;
    for (int i = 0; i < count; i++) {
        FieldValue *v = &values[i];
        int module = v->scope == MODULE;
        char name[32];
        snprintf(name, sizeof name, "%s_%s",
                 v->field == TOTAL_ENERGY ? "energy" : v->field == POWER_AVERAGE ? "power_average" : "power_instant",
                 module ? "module" : "gpu");
        v->result = refuse(name);
        if (v->field == TOTAL_ENERGY) {
            v->type = 3;
            v->value.ull = module ? now()->module_energy_mj : now()->energy_mj;
        } else {
            v->type = 1;
            v->value.ui = module ? now()->module_power_mw : now()->power_mw;
        }
    }
    return SUCCESS;
}
